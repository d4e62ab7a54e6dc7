"""Lines: numbers and keys of a profile, authentication centre, activation data, secured packets."""
