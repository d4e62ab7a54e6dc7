"""The lab's phone, controlled by KSWiFi's page: one card, one modem, two switches and a simple browser."""

import http.client
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from kswifi.kernel.errors import KswifiError
from kswifi.kernel.numbers import Iccid
from kswifi.lab.phone.activation_code import ActivationCode
from kswifi.lab.phone.card import Card
from kswifi.lab.phone.es10 import CardError
from kswifi.lab.phone.modem import AttachError, Modem
from kswifi.lab.phone.network import Network, NoNetworkError
from kswifi.lab.phone.servers import ProfileServers
from kswifi.lab.settings import HostPort
from kswifi.lab.site.pages import LARGEST_PAGE_OCTETS

_BROWSE_SECONDS: Final = 30.0
_ANNOUNCEMENT_SECONDS: Final = 5.0
_READ_OCTETS: Final = 262_144


class PhoneBusyError(KswifiError):
    """The phone's card is in use by another request."""

    code = "phone_busy"


class BrowseError(KswifiError):
    """The page or octets could not be fetched."""

    code = "browse_failed"


class LabPhone:
    """The phone. Its methods block and are called on threads; its card is open only while a method uses it.

    Args:
        card_dir: the directory of its card.
        network: its switches and sockets.
        modem: its modem.
        content: the address of the content server.
        servers: where it gets profiles.
    """

    def __init__(
        self, card_dir: Path, network: Network, modem: Modem, content: HostPort, servers: ProfileServers
    ) -> None:
        self._card_dir = card_dir
        self._network = network
        self._modem = modem
        self._content = content
        self._servers = servers
        self._lock = threading.Lock()

    def close(self) -> None:
        """Detach. The switches keep their positions."""
        self._modem.detach()

    def look(self) -> dict[str, Any]:
        """Return switches and attach state, and profiles and session records as the card reports them."""
        attachment = self._modem.attachment
        with self._card() as card:
            profiles = card.profiles()
            records = card.read_session_records() if any(profile.enabled for profile in profiles) else []
            eid = card.eid()
        return {
            "wifi": self._network.wifi,
            "line": self._network.line,
            "attached": self._network.credentials is not None,
            "access": self._modem.access,
            "reason": self._modem.reason,
            "pdn_address": attachment.pdn_address if attachment is not None else None,
            "eid": eid,
            "profiles": [
                {"iccid": profile.iccid, "enabled": profile.enabled, "name": profile.name} for profile in profiles
            ],
            "records": [record.hex() for record in records],
            "home": f"http://{self._content[0]}:{self._content[1]}/",
        }

    def proxy(self) -> dict[str, Any]:
        """Return the proxy URL with which another program on this machine can use the line.

        Raises:
            NoNetworkError: the line is not attached.
        """
        credentials = self._network.credentials
        if credentials is None:
            raise NoNetworkError("the line is not attached: switch it on first")
        host, port = credentials.address
        url = f"http://{credentials.bearer_id}:{credentials.password}@{host}:{port}"
        return {"proxy": url, "example": f"curl -x {url} http://{self._content[0]}:{self._content[1]}/"}

    def switch_wifi(self, *, on: bool) -> dict[str, Any]:
        """Switch WiFi on or off."""
        self._network.wifi = on
        return {"wifi": on}

    def switch_line(self, *, on: bool) -> dict[str, Any]:
        """Switch mobile data on (attach) or off (detach).

        Raises:
            CardError: no profile is enabled.
            AttachError: the network does not admit the phone.
        """
        self._network.line = on
        if not on:
            self._modem.detach()
        elif self._network.credentials is None:
            with self._card() as card:
                self._modem.attach(card, card.imsi())
        return {"line": on, "access": self._modem.access}

    def download_profile(self, activation_code: str) -> dict[str, Any]:
        """Download a profile and enable it; return the notifications that could not be delivered.

        Raises:
            ActivationCodeError: the text is not an activation code.
            CardError: the line is on, or the card refused a command.
            NoNetworkError: WiFi is off.
            DownloadRefusedError, Es9RefusedError, Es9UnreachableError: the download failed.
        """
        code = ActivationCode.parse(activation_code)
        self._require_line_off()
        self._require_wifi()
        with self._card() as card:
            return {"waiting": self._servers.download(card, code)}

    def deliver_notifications(self) -> dict[str, Any]:
        """Deliver the card's notifications to their servers; those that fail stay on the card and are returned.

        Raises:
            NoNetworkError: WiFi is off.
        """
        self._require_wifi()
        with self._card() as card:
            return {"waiting": self._servers.deliver_notifications(card)}

    def enable_profile(self, iccid: str) -> dict[str, Any]:
        """Enable another profile.

        Raises:
            CardError: the line is on, there is no such profile, or it is enabled already.
        """
        self._require_line_off()
        with self._card() as card:
            card.enable(Iccid.as_read(iccid))
        return {"iccid": iccid, "enabled": True}

    def hand_over(self, iccid: str, envelopes: Sequence[bytes]) -> dict[str, Any]:
        """Give a secured packet to the card, and return its answer, which is for the server that made the packet.

        Args:
            iccid: the profile that the packet is for.
            envelopes: the packet's ENVELOPE commands.

        Raises:
            CardError: this profile is not enabled.
        """
        with self._card() as card:
            return {"answer": card.hand_over(Iccid.as_read(iccid), envelopes).hex()}

    def browse(
        self, *, url: str | None, octets: int | None, keep: Callable[[str, bytes], None] | None = None
    ) -> dict[str, Any]:
        """Fetch a page, or octets from the content server, over WiFi if it is on, else over the line.

        If the line was cut, this waits until the network has announced it, which can be a moment after the last
        octet.

        Args:
            url: the page; None to fetch octets.
            octets: how many octets to fetch.
            keep: gets the media type and the beginning of the content.

        Returns:
            HTTP status, received octets, and whether the answer was cut off.

        Raises:
            NoNetworkError: WiFi is off and the line is not attached.
            ProxyAnswerError: the access gateway refused.
            BrowseError: the URL is not an http URL, or the server did not answer in HTTP.
        """
        if url is None:
            host, port, path = *self._content, f"/stream?seed=browse&octets={octets}"
        else:
            parts = urlsplit(url)
            if parts.scheme != "http" or not parts.hostname:
                raise BrowseError("the lab's phone browses http:// addresses")
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            host, port = parts.hostname, parts.port or 80
        over_line = not self._network.wifi
        connection = http.client.HTTPConnection(host, port)
        with self._network.connect(host, port, _BROWSE_SECONDS) as connected:
            connection.sock = connected
            try:
                connection.request("GET", path, headers={"Connection": "close"})
                with connection.getresponse() as response:
                    received, beginning = 0, b""
                    for piece in iter(lambda: response.read1(_READ_OCTETS), b""):
                        received += len(piece)
                        if keep is not None and len(beginning) < LARGEST_PAGE_OCTETS:
                            beginning += piece
                    missing = response.length or 0
            except http.client.HTTPException as error:
                raise BrowseError(f"the server did not answer in HTTP: {error!r}") from error
        if missing and over_line:
            self._modem.wait_for_access("control_only", "ended", "detached", seconds=_ANNOUNCEMENT_SECONDS)
        if keep is not None:
            keep(response.headers.get("Content-Type", ""), beginning)
        return {"status": response.status, "octets": received, "cut_off": missing > 0}

    def _require_line_off(self) -> None:
        """Refuse while the line is attached: the modem uses the profile that is about to change."""
        if self._network.credentials is not None:
            raise CardError("switch the line off first")

    def _require_wifi(self) -> None:
        """Refuse without WiFi: before there is a profile there is no line, so profiles are downloaded over WiFi."""
        if not self._network.wifi:
            raise NoNetworkError("profiles come over WiFi, and it is off")

    @contextmanager
    def _card(self) -> Iterator[Card]:
        """Open the card, one caller at a time; the first time, make an empty one."""
        if not self._lock.acquire(timeout=_BROWSE_SECONDS):
            raise PhoneBusyError("the card is in use")
        try:
            with self._servers.take_card(self._card_dir) as card:
                yield card
        finally:
            self._lock.release()


__all__ = ["AttachError", "BrowseError", "LabPhone", "PhoneBusyError"]
