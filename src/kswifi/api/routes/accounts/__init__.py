"""Routes of accounts: registration, sign-in, passkeys, notifications, phone numbers, stored data."""
