"""The lab: a phone, an access gateway, a content server and rehearsal providers, to try KSWiFi without a radio.

It is outside the floors: it reaches the server over HTTP, ES9+ and Diameter only, as a real phone and core would.
"""
