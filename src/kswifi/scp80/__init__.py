"""Secured packets (SCP80): commands to a card over the air, their encoding and their cryptography.

The server writes a file on a card that it cannot reach directly. It does so in four layers, from the inside out:

1. ``scripts``: the command APDUs to run, one after the other (remote file management, TS 102 226).
2. ``packets``: a command packet (TS 102 225) that enciphers the script, adds a checksum and a counter, and names
   the keys. Only the server and this card have the keys; the counter makes a second delivery of the packet
   ineffective.
3. ``sms``: the packet in one or several SMS-DELIVER messages (TS 23.040, TS 31.115).
4. ``sms.envelope``: each message in an ENVELOPE command, which the phone gives to the card (TS 31.111).

The card answers the last ENVELOPE with a response packet, whose checksum is made with the same keys. It is the
proof of receipt (PoR): the phone between them can neither read nor forge it. ``security`` holds the parameters
(SPI, KIc, KID) that say how both packets are protected; ``explain`` describes packets in words.

This package has no clock, does no I/O and keeps no counter; the caller does.
"""
