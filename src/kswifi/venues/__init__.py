"""Venues with free WiFi: the list that the app keeps on each phone, because it is needed when there is no data."""
