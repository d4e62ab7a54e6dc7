"""What every HTTP route shares: authentication, idempotency, ranges, problem documents, streams."""
