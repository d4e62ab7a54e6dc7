"""Floor 3: who somebody is: accounts, passwords, recovery codes and LoginSessions."""
