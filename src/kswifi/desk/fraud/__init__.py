"""Fraud: clusters of accounts, rules that hold accounts, the review queue, and actions that can be undone."""
