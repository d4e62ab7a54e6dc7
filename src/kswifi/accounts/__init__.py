"""Floor 3: user accounts: passwords, passkeys, recovery codes and LoginSessions."""
