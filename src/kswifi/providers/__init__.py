"""Floor 4: one file for each thing outside that a capability's port reaches."""
