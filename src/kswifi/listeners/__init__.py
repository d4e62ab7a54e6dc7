"""What every TCP listener shares: accepting, limits on connections, time-outs and their counters."""
