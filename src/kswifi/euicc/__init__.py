"""A software eUICC: files, USIM and profiles, reached by APDUs (TS 102 221, TS 31.102, SGP.22)."""
