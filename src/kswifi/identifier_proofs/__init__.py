"""Proofs of identifiers: a code is sent to a phone number or email address, and its owner types it in."""
