"""Charging data records: who used how much, when, where and why it ended, one for every ChargingSession.

They are told from the ledger's journal, whose effects carry what charging knew of the bearer and of each report:
``model`` tells one record on, ``projector`` follows the journal into tables, ``service`` answers questions,
``export`` writes files. The shape follows TS 32.298's PGW record where it fits prepaid data.
"""
