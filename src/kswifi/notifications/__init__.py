"""Floor 3: what people are told when no page is open, by Web Push (RFC 8030): alerts, once each, to each device."""
