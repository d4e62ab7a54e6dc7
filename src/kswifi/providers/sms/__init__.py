"""SMS senders: one file each behind `phone_verification.ports.CodeSender`."""
