"""The ledger's durable form: the journal, snapshots, recovery and pruning."""
