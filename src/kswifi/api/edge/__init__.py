"""What all HTTP routes share: authentication, idempotency, ranges, problem documents, event streams."""
