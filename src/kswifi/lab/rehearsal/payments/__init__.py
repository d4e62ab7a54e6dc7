"""Rehearsal payment gateways: the sandbox gateway, and one that answers as Paystack does. No money moves."""
