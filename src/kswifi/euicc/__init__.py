"""A software eUICC: file system, USIM, profiles and ES10, driven by APDUs (TS 102 221, TS 31.102, SGP.22)."""
