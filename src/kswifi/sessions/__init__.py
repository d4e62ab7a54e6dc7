"""Floor 3: internet sessions, from the order and the package to the card's proof of storage and the last octet.

``model`` and ``contents`` are pure. ``orders`` and ``line`` hold what users request. ``job_handlers`` executes the
outbox entries of sessions. ``projector`` copies the ledger's effects into the control database.
"""
