"""Remote SIM provisioning (GSMA SGP.22) and profile packages (SAIP): bytes to types and back, no I/O."""
