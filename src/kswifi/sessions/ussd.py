"""Activation without data: a dial to the operator's USSD code sends the next portion to the caller's own line.

The callback has the shape of Africa's Talking: a form with the whole input so far, answered by a text that begins
with CON (go on) or END. It carries no signature. So a forged one can only send a portion of a session early, to the
number that the session's owner has verified.
"""

import hmac
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy import Connection

from kswifi.database.engine import Database, transaction_instant
from kswifi.kernel.errors import RefusedError
from kswifi.kernel.quantities import format_octets
from kswifi.sessions.store import sessions_on
from kswifi.sessions.supplied import DRAWABLE, buy_for_session
from kswifi.supply import store
from kswifi.supply.errors import UNKNOWN_USSD, ProviderWebhookForgedError
from kswifi.supply.lines import SuppliedLines

_log = structlog.get_logger(__name__)

FIRST_SCREEN: Final = "CON KSWiFi: send the next portion of your session to this line?\n1 Yes\n2 No"
_NUMBER: Final = re.compile(r"\+?([1-9][0-9]{7,14})")
_NETWORKS: Final = {"62120": "airtel", "62130": "mtn", "62150": "glo", "62160": "9mobile"}
"""Africa's Talking's codes of Nigerian networks. An unknown code says nothing."""
_NOTHING_WAITS: Final = "END No session waits for this line. Order one in KSWiFi on WiFi."
_ON_ITS_WAY: Final = "END A portion is on its way to this line."
_REFUSALS: Final = {
    "portion_pending": _ON_ITS_WAY,
    "number_not_verified": "END Verify this number again in KSWiFi, on WiFi. Nothing was sent.",
    "too_many_bundles": "END No more portions today. Try again tomorrow.",
}
_NOT_NOW: Final = "END This cannot be sent at present. Try again later."
_A_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class UssdRules:
    """The operator's USSD code.

    Attributes:
        service_code: what people dial.
        secret_path: the last part of the address of the callback.
        networks: the networks that it may come from; empty for any.
        portions_a_day: the most portions that a line gets within 24 hours if one of them is asked for by USSD.
        paid_by_operator: whether the dial costs the caller nothing.
    """

    service_code: str
    secret_path: str
    networks: tuple[str, ...] = ()
    portions_a_day: int = 3
    paid_by_operator: bool = False


@dataclass(frozen=True, slots=True)
class UssdCall:
    """One callback of the aggregator; ``text`` is the whole input so far, joined by "*"."""

    session_id: str
    phone_number: str
    network_code: str
    service_code: str
    text: str


class UssdActivation:
    """Answers the callbacks of the operator's USSD code. It waits for the database alone, never for a provider."""

    def __init__(
        self, database: Database, lines: SuppliedLines, digest: Callable[[str], bytes], rules: UssdRules
    ) -> None:
        """``digest`` returns the keyed digest of a phone number in E.164, by which its line is found."""
        self._database = database
        self._lines = lines
        self._digest = digest
        self.rules = rules

    async def answer(self, secret: str, call: UssdCall, sender: str) -> str:
        """Return the next screen. A repeated confirmation of one dial draws nothing more.

        Raises:
            UNKNOWN_USSD: the path or the code is not ours.
            ProviderWebhookForgedError: the sender is not on the operator's list.
        """
        if not hmac.compare_digest(self.rules.secret_path.encode(), secret.encode("utf-8", "replace")):
            raise UNKNOWN_USSD("there is no such callback")
        if not self._may_call(sender):
            raise ProviderWebhookForgedError("this sender is not on the operator's list", sender=sender)
        if call.service_code != self.rules.service_code:
            raise UNKNOWN_USSD("this is another USSD code")
        if not call.text:
            return FIRST_SCREEN
        number = _NUMBER.fullmatch(call.phone_number)
        if call.text != "1" or number is None or not call.session_id:
            return "END Nothing was sent."
        digest, key = self._digest(f"+{number[1]}"), call.session_id[:128]
        network = _NETWORKS.get(call.network_code)
        return await self._database.write(lambda connection: self._draw(connection, digest, key, network))

    def _draw(self, connection: Connection, digest: bytes, key: str, network: str | None) -> str:
        if not store.take_notice(connection, "ussd", key):
            return _ON_ITS_WAY
        line = store.line_of_number(connection, digest)
        if line is None:
            return _NOTHING_WAITS
        line_id, known = line
        if network is not None and network != known:
            return "END This number has changed its network. Verify it again in KSWiFi, on WiFi."
        since = transaction_instant(connection) - _A_DAY
        if store.purchases_since(connection, line_id, since) >= self.rules.portions_a_day:
            return _REFUSALS["too_many_bundles"]
        for session in reversed(sessions_on(connection, line_id)):
            if session.state not in DRAWABLE:
                continue
            try:
                order = buy_for_session(connection, self._lines, session)
            except RefusedError as error:
                if error.code == "no_portion_left":
                    continue
                return _REFUSALS.get(error.code, _NOT_NOW)
            _log.info("portion_by_ussd", line_id=line_id, reference=order.reference)
            return f"END {format_octets(order.covers_octets)} is on its way to this line. Your network counts it."
        return _NOTHING_WAITS

    def _may_call(self, sender: str) -> bool:
        if not self.rules.networks:
            return True
        try:
            address = ipaddress.ip_address(sender)
        except ValueError:
            return False
        return any(address in ipaddress.ip_network(it) for it in self.rules.networks)
