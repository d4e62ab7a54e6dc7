"""The lab phone's source of profiles: the SM-DP+, and the PKI by which it and the card verify each other."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kswifi.euicc.errors import CardMissingError
from kswifi.euicc.es10.credentials import make_credentials
from kswifi.kernel.clock import SystemClock
from kswifi.kernel.errors import KswifiError
from kswifi.kernel.numbers import Eid
from kswifi.lab.phone.activation_code import ActivationCode
from kswifi.lab.phone.card import Card
from kswifi.lab.phone.es9 import HttpEs9, tls_context_of
from kswifi.lab.phone.lpa import DownloadRefusedError, Lpa
from kswifi.lab.phone.personalise import read_pki
from kswifi.lab.settings import HostPort
from kswifi.rsp.certificates import Role
from kswifi.rsp.pki import Pki

_EID_PREFIX: Final = "89049032"  # GSMA SGP.26: the test eUICC manufacturer
_EID_DIGITS: Final = 30  # without the check digits


class NoProfileServerError(KswifiError):
    """The phone has no PKI, so its card trusts no server."""

    code = "no_profile_server"


@dataclass(frozen=True, slots=True)
class ProfileServers:
    """The servers of a phone.

    Attributes:
        pki_dir: the PKI folder; with None, cards are made without certificates and cannot download profiles.
        smdp: the address to connect to, whatever server an activation code names.
    """

    pki_dir: Path | None
    smdp: HostPort

    def take_card(self, directory: Path) -> Card:
        """Open the card of a directory; the first time, make an empty one with a random EID.

        Raises:
            CardBusyError, CardDamagedError: the card cannot be used.
            PkiError, CardCredentialsError: the PKI lacks what a card needs.
        """
        try:
            return Card.open(directory)
        except CardMissingError:
            if self.pki_dir is None:
                return Card.create(directory, _new_eid(_EID_PREFIX))
            pki = read_pki(self.pki_dir)
            eid = _new_eid(_manufacturers_prefix(pki))
            return Card.create(directory, eid, make_credentials(pki, eid, SystemClock().now()))

    def download(self, card: Card, code: ActivationCode) -> list[str]:
        """Download a profile onto the card and enable it; return why notifications could not be delivered, if any.

        Raises:
            DownloadRefusedError: server or card refused; nothing stays on the card.
            Es9RefusedError, Es9UnreachableError: the server refused, or cannot be reached.
            CardError: the card refused a command.
            NoProfileServerError: there is no PKI.
        """
        with self._lpa(card) as lpa:
            try:
                downloaded = lpa.download(code)
            except DownloadRefusedError:
                _deliver(lpa)  # the card's signed refusal is a notification, and the server's order waits for it
                raise
            card.enable(downloaded.iccid)
            return _deliver(lpa)

    def deliver_notifications(self, card: Card) -> list[str]:
        """Deliver the card's notifications to their servers; return why some could not be delivered, if any.

        Raises:
            CardError: the card refused a command.
            NoProfileServerError: there is no PKI.
        """
        with self._lpa(card) as lpa:
            return _deliver(lpa)

    @contextmanager
    def _lpa(self, card: Card) -> Iterator[Lpa]:
        if self.pki_dir is None:
            raise NoProfileServerError("this phone has no PKI, so its card trusts no server")
        issuers = (each.certificate.raw for each in read_pki(self.pki_dir).of_role(Role.CI))
        host, port = self.smdp
        with HttpEs9(tls_context_of(issuers), f"[{host}]:{port}" if ":" in host else f"{host}:{port}") as es9:
            yield Lpa(card, es9)


def _deliver(lpa: Lpa) -> list[str]:
    return [done.failure for done in lpa.process_notifications() if done.failure is not None]


def _manufacturers_prefix(pki: Pki) -> str:
    """Return the first digits of the EIDs that the PKI's manufacturer may assign."""
    ranges = (
        subtree.eid_prefix
        for eum in pki.of_role(Role.EUM)
        if eum.private_key is not None
        for subtree in eum.certificate.permitted
    )
    return next(ranges, _EID_PREFIX)


def _new_eid(prefix: str) -> Eid:
    digits = "".join(secrets.choice("0123456789") for _ in range(_EID_DIGITS - len(prefix)))
    return Eid.with_check_digits(prefix + digits)
