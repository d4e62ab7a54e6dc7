"""Routes of payments, passes, vouchers and free data."""
