"""Lines: the numbers and keys of a profile, the authentication centre, activation codes, secured packets."""
