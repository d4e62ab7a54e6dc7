"""Charging data records: the usage of each ChargingSession, its subscriber, times, location and cause of closing.

They are made from the ledger's journal, whose effects carry the facts of the bearer and of each report. ``model``
updates one record by effects, ``projector`` follows the journal and writes tables, ``service`` answers queries,
``export`` writes files. The fields follow the PGW record of TS 32.298 where it fits prepaid data.
"""
