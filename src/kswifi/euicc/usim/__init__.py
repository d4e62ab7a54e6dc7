"""The USIM application: PINs, AUTHENTICATE, concealed identities (TS 31.102)."""
