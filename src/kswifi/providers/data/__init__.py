"""Data providers: one file each behind `supply.ports.DataProvider`."""
