"""Online charging of packet data: credit-control requests become ledger commands, outcomes become answers.

``policy`` holds what an operator sets, ``steps`` and ``answers`` are the two pure directions, ``registry`` knows
the ChargingSessions that are open, ``service`` joins them. The ledger is the truth: everything here can be
rebuilt from it and from the next request (TS 32.299, 6; RFC 8506, 5).
"""
