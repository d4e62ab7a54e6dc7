"""Commands of payments, books, budgets and vouchers."""
