"""VERIFY, UNBLOCK PIN (TS 102 221, 11.1.9, 11.1.13) and AUTHENTICATE (TS 31.102, 7.1.2)."""

import hmac
from collections.abc import Callable
from typing import Final

from kswifi.aka import milenage
from kswifi.euicc.apdu import Command, Status, StatusError
from kswifi.euicc.channel import CardSession, Channel
from kswifi.euicc.state import Authentication, Directory, Pin, Puk
from kswifi.euicc.usim import sequence, xor_algorithm

_CODE_OCTETS: Final = 8
PIN_1: Final = 0x01
_CONTEXT_3G: Final = 0x81
_CONTEXTS: Final = (0x80, 0x82, 0x84)  # GSM, VGCS/VBS and GBA contexts, which this card does not support
_SUCCESS: Final = b"\xdb"
_SYNCHRONISATION_FAILURE: Final = b"\xdc"
_CHALLENGE_OCTETS: Final = 34


def verify(session: CardSession, channel: Channel, command: Command) -> bytes:
    """Verify a PIN or administrative key. The attempt is counted durably before the comparison."""
    pin = _pin(session, channel, command)
    if not command.data:
        if pin.attempts_left == 0:
            raise StatusError(Status.PIN_BLOCKED)
        raise StatusError(0x63C0 | pin.attempts_left)
    if not pin.enabled:
        raise StatusError(Status.REFERENCED_DATA_INVALIDATED)
    if len(command.data) != _CODE_OCTETS:
        raise StatusError(Status.WRONG_LENGTH)
    _present(session, pin, command.data, on_failure=lambda: _forget(session, channel, command.p2))
    session.mark_verified(channel, command.p2, verified=True)
    return b""


def unblock(session: CardSession, channel: Channel, command: Command) -> bytes:
    """Set a new value for a blocked PIN with its PUK."""
    pin = _pin(session, channel, command)
    profile = session.state.enabled_profile()
    puk = next((p for p in profile.puks if p.key_reference == pin.puk_reference), None) if profile else None
    if puk is None:
        raise StatusError(Status.REFERENCED_DATA_NOT_FOUND)
    if not command.data:
        raise StatusError(0x63C0 | puk.attempts_left if puk.attempts_left else Status.PIN_BLOCKED)
    if len(command.data) != 2 * _CODE_OCTETS:
        raise StatusError(Status.WRONG_LENGTH)
    _present(session, puk, command.data[:_CODE_OCTETS], on_failure=lambda: None)
    pin.value = command.data[_CODE_OCTETS:]
    pin.enabled, pin.attempts_left = True, pin.attempts
    session.commit()
    session.mark_verified(channel, command.p2, verified=True)
    return b""


def _pin(session: CardSession, channel: Channel, command: Command) -> Pin:
    if command.p1 != 0x00:
        raise StatusError(Status.INCORRECT_P1_P2)
    pin = session.pins(channel).get(command.p2)
    if pin is None:
        raise StatusError(Status.REFERENCED_DATA_NOT_FOUND)
    return pin


def _forget(session: CardSession, channel: Channel, reference: int) -> None:
    session.mark_verified(channel, reference, verified=False)


def _present(session: CardSession, code: Pin | Puk, value: bytes, on_failure: Callable[[], None]) -> None:
    if code.attempts_left == 0:
        raise StatusError(Status.PIN_BLOCKED)
    code.attempts_left -= 1
    # Count first: a power cut after a wrong guess must not save the attempt.
    session.commit()
    if not hmac.compare_digest(code.value, value):
        on_failure()
        raise StatusError(0x63C0 | code.attempts_left)
    code.attempts_left = code.attempts
    session.commit()


def authenticate(session: CardSession, channel: Channel, command: Command) -> bytes:
    """Answer an AKA challenge in the 3G security context (TS 33.102, 6.3.3).

    The card verifies the MAC in AUTN, which proves that the network knows K; then it checks that SQN is
    fresh. It returns RES, CK and IK, or AUTS (which asks the network to resynchronise) if SQN is not fresh.
    The accepted SQN is made durable before the answer, so that no vector is ever answered twice, even after a
    power cut.
    """
    if command.p1 != 0x00 or command.p2 not in (_CONTEXT_3G, *_CONTEXTS):
        raise StatusError(Status.INCORRECT_P1_P2)
    application = channel.application()
    keys = None if application is None else _keys(session, application)
    if keys is None:
        raise StatusError(Status.CONDITIONS_NOT_SATISFIED)
    if command.p2 != _CONTEXT_3G:
        raise StatusError(Status.SECURITY_CONTEXT_NOT_SUPPORTED)
    if not session.is_satisfied(channel, PIN_1):
        raise StatusError(Status.SECURITY_NOT_SATISFIED)
    rand, autn = _challenge(command.data)
    try:
        answer = _verify(keys, rand, autn)
    except milenage.MacFailureError:
        raise StatusError(Status.INCORRECT_MAC) from None
    if not sequence.accept(keys, answer.sqn):
        auts = _auts(keys, rand)
        return _SYNCHRONISATION_FAILURE + _lv(auts)
    session.commit()
    return _SUCCESS + _lv(answer.res) + _lv(answer.ck) + _lv(answer.ik)


def _keys(session: CardSession, application: Directory) -> Authentication | None:
    """Return an application's keys: its own, or those of the application whose keys it shares."""
    profile = session.state.enabled_profile()
    if application.authentication is not None or profile is None:
        return application.authentication
    return next((each.authentication for each in profile.mf.directories if each.aid == application.keys_of), None)


def _verify(keys: Authentication, rand: bytes, autn: bytes) -> milenage.VerifiedChallenge:
    if keys.test_algorithm:
        return xor_algorithm.verify_autn(keys.k, rand, autn)
    return milenage.verify_autn(keys.k, keys.opc, rand, autn)


def _auts(keys: Authentication, rand: bytes) -> bytes:
    highest = sequence.highest_accepted(keys)
    if keys.test_algorithm:
        return xor_algorithm.build_auts(keys.k, rand, highest)
    return milenage.build_auts(keys.k, keys.opc, rand, highest)


def _challenge(data: bytes) -> tuple[bytes, bytes]:
    if len(data) != _CHALLENGE_OCTETS:
        raise StatusError(Status.WRONG_LENGTH)
    if data[0] != milenage.RAND_OCTETS or data[17] != milenage.AUTN_OCTETS:
        raise StatusError(Status.INCORRECT_DATA)
    return data[1:17], data[18:]


def _lv(value: bytes) -> bytes:
    return bytes([len(value)]) + value
