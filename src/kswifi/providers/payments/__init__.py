"""Payment gateways: one file each behind `payments.ports.PaymentGateway`."""
