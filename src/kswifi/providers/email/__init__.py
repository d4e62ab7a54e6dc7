"""E-mail senders: adapters behind the port ``kswifi.phone_verification.ports.CodeSender``."""
