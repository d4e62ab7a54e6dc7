"""Online charging of packet data: credit-control requests become ledger commands, outcomes become answers.

``policy`` holds the operator's settings, ``steps`` and ``answers`` translate in the two directions, ``registry``
keeps the open ChargingSessions, ``service`` connects them. The ledger is the source of truth: everything here can
be rebuilt from it and from the next request (TS 32.299, 6; RFC 8506, 5).

A session in short: an INITIAL reserves octets in the ledger and answers a grant; each UPDATE books what was used
and reserves anew; a TERMINATION books the rest and closes. Silence beyond Validity-Time and grace settles a
session.
"""
