"""Load on a Gy server, with messages of a real packet core that are made and read with little CPU time."""
