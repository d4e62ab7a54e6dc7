"""KSWiFi: download an internet session over WiFi, store it on the eSIM, use it later like SIM data."""

__version__ = "0.1.0"
