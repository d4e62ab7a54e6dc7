"""What sends e-mail: adapters behind the port ``kswifi.phone_verification.ports.CodeSender``."""
