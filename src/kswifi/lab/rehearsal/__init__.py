"""Stand-ins for external services: payment gateways, SMS providers and a push service. No money moves."""
