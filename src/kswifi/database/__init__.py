"""Floor 2: the control plane's database: one engine, its column types, and its migrations."""
