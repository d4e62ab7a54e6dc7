"""Subscribers for a core of the operator's own: Open5GS, whose HSS then answers for the cards that we issue.

Its database holds a document for each subscriber (MongoDB, collection ``subscribers``). The HSS reads numbers by
their BSON type: bit rates and enumerations as 32 bits, the sequence number as 64, and passes over the others.
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
"""Open5GS' unit of a bit rate: every one above is 1024 times the one before, so only this one is exact."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """What every exported subscriber may use: one APN of 4G data, and bit rates (AMBR) in kbit/s."""

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
    """One subscriber as the core needs it; ``document`` holds its keys and is neither shown nor logged."""

    imsi: Imsi
    document: dict[str, Any]

    def __repr__(self) -> str:
        """Return it without its keys."""
        return f"ExportedSubscriber(imsi={self.imsi!r})"


def exported_subscribers(
    connection: Connection, vault: SubscriberVault, subscription: Subscription, imsi: Imsi | None = None
) -> Iterator[ExportedSubscriber]:
    """Yield every line's subscriber whose profile is not withdrawn, or that of one IMSI, by IMSI.

    Raises:
        OwnCoreRefusedError: no line has this IMSI.
        SubscriberKeysDamagedError: its keys cannot be opened.
    """
    wanted = select(esim.c.imsi, esim.c.sealed_keys, esim.c.seq, esim.c.ind).order_by(esim.c.imsi)
    wanted = wanted.where(esim.c.profile_state != ProfileState.UNAVAILABLE)
    if imsi is not None:
        wanted = wanted.where(esim.c.imsi == imsi)
    found = connection.execute(wanted).all()
    if imsi is not None and not found:
        raise OwnCoreRefusedError(f"no line that is in use has the IMSI {imsi}", imsi=imsi)
    for row in found:
        keys = vault.open(Imsi(row.imsi), row.sealed_keys)
        # The next vector's: SQN = SEQ || IND (TS 33.102, C.1.1.1). Open5GS counts on by 32, which is one SEQ.
        sqn = row.seq + 1 << IND_BITS
        yield ExportedSubscriber(Imsi(row.imsi), open5gs_document(row.imsi, keys.k, keys.opc, sqn, subscription))


def open5gs_document(imsi: str, k: bytes, opc: bytes, sqn: int, subscription: Subscription) -> dict[str, Any]:
    """Return a subscriber of Open5GS (schema version 1), with all numbers plain."""
    ambr = {
        "downlink": {"value": subscription.downlink_kbps * 1000, "unit": _BIT_PER_SECOND},
        "uplink": {"value": subscription.uplink_kbps * 1000, "unit": _BIT_PER_SECOND},
    }
    session = {
        "name": subscription.apn,
        "type": 1,  # IPv4
        # QCI 9, the default bearer of internet access (TS 23.203, 6.1.7.2); it pre-empts nobody.
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
        "access_restriction_data": 32,  # no handover to a non-3GPP access (TS 29.272, 7.3.31)
        "network_access_mode": 0,  # packet and circuit, as the HSS' own default
        "subscriber_status": 0,  # service granted
        "subscribed_rau_tau_timer": 12,
    }


def extended_json(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document with its sequence number told as 64 bits, for ``mongoimport`` (MongoDB Extended JSON)."""
    security = document["security"]
    return {**document, "security": {**security, "sqn": {"$numberLong": str(security["sqn"])}}}


def audit_line(at: datetime, action: str, where: str, subscribers: int, user: str) -> str:
    """Return one line of the log of exports: who took how many subscribers' keys where, and never a key."""
    shown = "".join(each if each.isprintable() and each != " " else "?" for each in f"{where[:200]}")
    return f"{at:%Y-%m-%dT%H:%M:%SZ} {action} subscribers={subscribers} to={shown} by={user}\n"
