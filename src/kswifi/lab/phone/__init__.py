"""The lab's phone: a card, a modem, two switches, and the one way its sockets are made."""
