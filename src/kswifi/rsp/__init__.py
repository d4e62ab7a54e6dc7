"""Remote SIM provisioning (GSMA SGP.22) and profile packages (SAIP): encoding and decoding, without I/O."""
