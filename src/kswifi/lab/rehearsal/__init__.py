"""External services to rehearse with: payment gateways, SMS senders and a push service. No money moves."""
