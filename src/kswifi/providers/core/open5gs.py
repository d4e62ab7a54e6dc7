"""The subscriber database of Open5GS: upsert subscribers; sequence numbers are written only for new ones.

Its client library is in the extra ``open5gs``.
"""

from collections.abc import Iterable
from typing import Any, Final

from bson.int64 import Int64
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from kswifi.esim.errors import OwnCoreRefusedError
from kswifi.esim.lines.own_core import ExportedSubscriber

DATABASE: Final = "open5gs"
COLLECTION: Final = "subscribers"
ANSWER_SECONDS: Final = 10.0


def sync_subscribers(uri: str, subscribers: Iterable[ExportedSubscriber]) -> tuple[int, int]:
    """Write subscribers into the database of ``uri`` (default ``open5gs``); return how many were new and known.

    A known subscriber keeps its sequence number (SQN): the core has incremented it, and a card refuses an SQN that
    it has already seen. Other fields of the core (``imeisv``, ``mme_host``) stay too. Idempotent.

    Raises:
        OwnCoreRefusedError: the database refused or did not answer.
    """
    milliseconds = int(ANSWER_SECONDS * 1000)
    limits: dict[str, Any] = dict.fromkeys(
        ("serverSelectionTimeoutMS", "connectTimeoutMS", "socketTimeoutMS"), milliseconds
    )
    new = known = 0
    try:
        with MongoClient[dict[str, Any]](uri, **limits) as client:
            collection = client.get_default_database(DATABASE)[COLLECTION]
            for each in subscribers:
                changes, first = _changes(each.document)
                first["security.sqn"] = Int64(first["security.sqn"])
                found = collection.update_one(
                    {"imsi": each.imsi}, {"$set": changes, "$setOnInsert": first}, upsert=True
                )
                new, known = (new, known + 1) if found.matched_count else (new + 1, known)
    except (PyMongoError, ValueError) as error:
        # The driver's message may contain the URI with its password, or the document with its keys.
        raise OwnCoreRefusedError(
            f"Open5GS' database refused or did not answer ({type(error).__name__}) after {new + known} "
            "subscribers; the same command again goes on",
            written=new + known,
        ) from None
    return new, known


def _changes(document: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fields to set always, and those to set only in a new document."""
    changes = {name: value for name, value in document.items() if name not in ("imsi", "security")}
    first: dict[str, Any] = {}
    for name, value in document["security"].items():
        (first if name == "sqn" else changes)[f"security.{name}"] = value
    return changes, first
