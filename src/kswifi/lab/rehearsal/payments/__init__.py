"""Payment gateways to rehearse with: the sandbox gateway, and one that answers as Paystack does. No money moves."""
