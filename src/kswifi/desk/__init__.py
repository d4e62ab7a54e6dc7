"""Floor 3: the desk: support, refunds and disputes, with an audit trail of every action of the operator's staff."""
