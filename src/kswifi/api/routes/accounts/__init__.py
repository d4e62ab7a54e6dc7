"""Routes of accounts: registration, sign-in, passkeys, notifications, phone numbers, personal data."""
