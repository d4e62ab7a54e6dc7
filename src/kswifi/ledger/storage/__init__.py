"""The ledger's durable form: the journal, its snapshots, recovery and pruning."""
