"""Floor 3: what costs money: payments through a gateway, the pass that they buy, refunds and receipts."""
