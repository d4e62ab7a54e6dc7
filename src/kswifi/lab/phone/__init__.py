"""The lab's phone: a card (eSIM), an LPA, a modem, a WiFi switch and a line switch, and its traffic."""
