"""The card's file system: directories, files, their access rules and data objects (TS 102 221)."""
