"""The USIM application: PINs, AUTHENTICATE and GET IDENTITY (TS 31.102)."""
