"""Floor 4: adapters for external systems; each file implements a capability's port."""
