"""Routes of internet sessions and eSIMs."""
