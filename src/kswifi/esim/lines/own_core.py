"""Export subscribers to the operator's own core: Open5GS, whose HSS then authenticates the cards that we issue.

Its MongoDB collection ``subscribers`` has a document for each subscriber. The HSS reads a number only if it
has the expected BSON type: 32 bits for bit rates and enumerations, 64 bits for the sequence number. It
ignores any other.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, select

from kswifi.aka.milenage import AMF_SEPARATION_BIT
from kswifi.esim.errors import OwnCoreRefusedError
from kswifi.esim.lines.authentication_centre import IND_BITS
from kswifi.esim.lines.vault import SubscriberVault
from kswifi.esim.model import ProfileState
from kswifi.esim.sql import esim
from kswifi.kernel.numbers import Imsi

MOST_KBPS: Final = (2**31 - 1) // 1000
DEFAULT_AMBR_KBPS: Final = 100_000
_APN: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?", re.IGNORECASE)  # TS 23.003, 9.1
_BIT_PER_SECOND: Final = 0
"""Open5GS' code for bit/s. Its next codes are powers of 1024, not 1000, so only this unit is exact."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """The service of every exported subscriber: one APN for 4G data, and bit rates (AMBR) in kbit/s."""

    apn: str = "internet"
    downlink_kbps: int = DEFAULT_AMBR_KBPS
    uplink_kbps: int = DEFAULT_AMBR_KBPS

    def __post_init__(self) -> None:
        if not _APN.fullmatch(self.apn):
            raise OwnCoreRefusedError("an APN has 1 to 63 letters, digits, dots and hyphens", apn=self.apn[:64])
        if not all(1 <= rate <= MOST_KBPS for rate in (self.downlink_kbps, self.uplink_kbps)):
            raise OwnCoreRefusedError(f"a bit rate has 1 to {MOST_KBPS} kbit/s")


@dataclass(frozen=True, slots=True)
class ExportedSubscriber:
    """One subscriber for the core. ``document`` contains the keys: never show or log it."""

    imsi: Imsi
    document: dict[str, Any]

    def __repr__(self) -> str:
        """Return a representation without the keys."""
        return f"ExportedSubscriber(imsi={self.imsi!r})"


def exported_subscribers(
    connection: Connection, vault: SubscriberVault, subscription: Subscription, imsi: Imsi | None = None
) -> Iterator[ExportedSubscriber]:
    """Yield the subscribers of all lines whose profile is not withdrawn, or only the one with ``imsi``.

    Raises:
        OwnCoreRefusedError: no line has this IMSI.
        SubscriberKeysDamagedError: a line's keys cannot be opened.
    """
    wanted = select(esim.c.imsi, esim.c.sealed_keys, esim.c.seq, esim.c.ind).order_by(esim.c.imsi)
    wanted = wanted.where(esim.c.profile_state != ProfileState.UNAVAILABLE, esim.c.imsi.is_not(None))
    if imsi is not None:
        wanted = wanted.where(esim.c.imsi == imsi)
    found = connection.execute(wanted).all()
    if imsi is not None and not found:
        raise OwnCoreRefusedError(f"no line that is in use has the IMSI {imsi}", imsi=imsi)
    for row in found:
        keys = vault.open(Imsi(row.imsi), row.sealed_keys)
        # The SQN of the next vector: SQN = SEQ || IND (TS 33.102, C.1.1.1). Open5GS adds 32 for each vector, which
        # is 1 SEQ.
        sqn = row.seq + 1 << IND_BITS
        yield ExportedSubscriber(Imsi(row.imsi), open5gs_document(row.imsi, keys.k, keys.opc, sqn, subscription))


def open5gs_document(imsi: str, k: bytes, opc: bytes, sqn: int, subscription: Subscription) -> dict[str, Any]:
    """Return a subscriber as an Open5GS document (schema version 1) with plain Python integers."""
    ambr = {
        "downlink": {"value": subscription.downlink_kbps * 1000, "unit": _BIT_PER_SECOND},
        "uplink": {"value": subscription.uplink_kbps * 1000, "unit": _BIT_PER_SECOND},
    }
    session = {
        "name": subscription.apn,
        "type": 1,  # IPv4
        # QCI 9: default bearer for internet access (TS 23.203, 6.1.7.2), which cannot pre-empt other bearers.
        "qos": {
            "index": 9,
            "arp": {"priority_level": 8, "pre_emption_capability": 1, "pre_emption_vulnerability": 1},
        },
        "ambr": ambr,
        "pcc_rule": [],
    }
    return {
        "schema_version": 1,
        "imsi": imsi,
        "msisdn": [],
        "security": {"k": k.hex(), "op": None, "opc": opc.hex(), "amf": AMF_SEPARATION_BIT.hex(), "sqn": sqn},
        "ambr": ambr,
        "slice": [{"sst": 1, "default_indicator": True, "session": [session]}],
        "access_restriction_data": 32,  # HO-To-Non-3GPP-Access not allowed (TS 29.272, 7.3.31)
        "network_access_mode": 0,  # packet and circuit: the default of the HSS
        "subscriber_status": 0,  # SERVICE_GRANTED
        "subscribed_rau_tau_timer": 12,
    }


def extended_json(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document whose sequence number has 64 bits, for ``mongoimport`` (MongoDB Extended JSON)."""
    security = document["security"]
    return {**document, "security": {**security, "sqn": {"$numberLong": str(security["sqn"])}}}


def audit_line(at: datetime, action: str, where: str, subscribers: int, user: str) -> str:
    """Return one line of the export log: time, user, destination and number of subscribers, but no keys."""
    shown = "".join(each if each.isprintable() and each != " " else "?" for each in f"{where[:200]}")
    return f"{at:%Y-%m-%dT%H:%M:%SZ} {action} subscribers={subscribers} to={shown} by={user}\n"
