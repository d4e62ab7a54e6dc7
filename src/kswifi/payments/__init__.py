"""Floor 3: payments through a gateway, the passes that they buy, refunds and receipts."""
