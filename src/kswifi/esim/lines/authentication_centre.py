"""The authentication centre (AuC): makes AKA vectors from subscriber keys that only it and the card have.

A sequence number is SQN = SEQ || IND (TS 33.102, C.1.1.1; not time-based, C.3.2). SEQ grows by one with every
vector; IND is the index of the card's array of accepted numbers and cycles. The new SQN is committed to the
database before the vector is returned, so no crash can make the AuC use one SQN twice.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select, update

from kswifi.aka.milenage import (
    AMF_SEPARATION_BIT,
    AUTS_OCTETS,
    RAND_OCTETS,
    AuthenticationVector,
    MacFailureError,
    generate_vector,
    kasme,
    verify_auts,
)
from kswifi.database.engine import Database
from kswifi.diameter.messages.s6a import EutranVector
from kswifi.esim.errors import (
    ResynchronizationRefusedError,
    SequenceNumbersUsedUpError,
    UnknownSubscriberError,
)
from kswifi.esim.lines.vault import SubscriberKeys, SubscriberVault
from kswifi.esim.sql import esim
from kswifi.kernel.numbers import Imsi

IND_BITS: Final = 5
INDICES: Final = 1 << IND_BITS
SEQ_MAX: Final = (1 << 48 - IND_BITS) - 1
DELTA: Final = 1 << 28
"""The largest step of SEQ that a card accepts: DELTA in TS 33.102, C.2.1 and C.3.2."""


@dataclass(frozen=True, slots=True)
class _Subscriber:
    keys: SubscriberKeys
    seq: int
    ind: int


class AuthenticationCentre:
    """Make authentication vectors for the subscribers of this installation."""

    def __init__(
        self, database: Database, vault: SubscriberVault, random_bytes: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._database = database
        self._vault = vault
        self._random_bytes = random_bytes

    async def eutran_vector(self, imsi: str, plmn: bytes, resynchronization: bytes | None = None) -> EutranVector:
        """Return one E-UTRAN vector (TS 29.272, 7.3.18; TS 33.401, 6.1.2).

        Args:
            imsi: the subscriber.
            plmn: the serving network id, three octets; KASME is derived from it.
            resynchronization: RAND || AUTS, 30 octets, if the card asked for resynchronisation (TS 29.272, 7.3.15).

        Raises:
            UnknownSubscriberError: no profile has this IMSI.
            ResynchronizationRefusedError: AUTS is not this card's answer to this RAND; nothing was changed.
            SequenceNumbersUsedUpError: the subscriber's sequence numbers are used up.
            MilenageError: ``plmn`` does not have three octets.
        """
        vector = await self.authentication_vector(imsi, resynchronization)
        return EutranVector(
            rand=vector.rand,
            xres=vector.xres,
            autn=vector.autn,
            kasme=kasme(vector.ck, vector.ik, plmn, vector.sqn_xor_ak),
        )

    async def authentication_vector(
        self, imsi: str, resynchronization: bytes | None = None
    ) -> AuthenticationVector:
        """Return one vector with the AMF separation bit set and without KASME, for a proof of presence.

        Raises:
            UnknownSubscriberError, ResynchronizationRefusedError, SequenceNumbersUsedUpError: see `eutran_vector`.
        """

        def change(connection: Connection) -> tuple[_Subscriber, int, int]:
            subscriber = self._subscriber(connection, imsi)
            seq = subscriber.seq
            if resynchronization is not None:
                seq = _resynchronized(subscriber, resynchronization)
            seq += 1
            if seq > SEQ_MAX:
                raise SequenceNumbersUsedUpError(f"the card of {imsi} has no sequence number left", imsi=imsi)
            ind = (subscriber.ind + 1) % INDICES
            connection.execute(update(esim).where(esim.c.imsi == imsi).values(seq=seq, ind=ind))
            return subscriber, seq, ind

        subscriber, seq, ind = await self._database.write(change)
        # AKA: make the vector only after the new SQN is committed, so that a crash cannot lead to its reuse.
        keys = subscriber.keys
        return generate_vector(
            keys.k, keys.opc, seq << IND_BITS | ind, AMF_SEPARATION_BIT, self._random_bytes(RAND_OCTETS)
        )

    def _subscriber(self, connection: Connection, imsi: str) -> _Subscriber:
        query = select(esim.c.sealed_keys, esim.c.seq, esim.c.ind).where(esim.c.imsi == imsi)
        row = connection.execute(query).one_or_none()
        if row is None:
            raise UnknownSubscriberError(f"no subscriber has the IMSI {imsi}", imsi=imsi)
        return _Subscriber(self._vault.open(Imsi(imsi), row.sealed_keys), row.seq, row.ind)


def _resynchronized(subscriber: _Subscriber, rand_auts: bytes) -> int:
    """Verify AUTS and return the SEQ after which the next vector is counted (TS 33.102, 6.3.5)."""
    if len(rand_auts) != RAND_OCTETS + AUTS_OCTETS:
        raise ResynchronizationRefusedError(
            f"re-synchronization info has {RAND_OCTETS + AUTS_OCTETS} octets, not {len(rand_auts)}"
        )
    keys, rand, auts = subscriber.keys, rand_auts[:RAND_OCTETS], rand_auts[RAND_OCTETS:]
    try:
        seq_ms = verify_auts(keys.k, keys.opc, rand, auts) >> IND_BITS
    except MacFailureError as error:
        raise ResynchronizationRefusedError("AUTS was not made by this subscriber's card") from error
    # 6.3.5, steps 2 and 3: keep our own SQN if the card would accept it next. A replayed old AUTS then cannot set
    # SQN back. Otherwise, if AUTS is genuine, continue from the card's SQN.
    accepted_next = seq_ms <= subscriber.seq < seq_ms + DELTA
    return subscriber.seq if accepted_next else seq_ms
