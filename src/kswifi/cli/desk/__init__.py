"""The commands of the desk: customers, lines, sessions, disputes, jobs, and the audit trail."""
