"""Floor 3: notifications by Web Push (RFC 8030): each alert is sent once to each device of a user."""
