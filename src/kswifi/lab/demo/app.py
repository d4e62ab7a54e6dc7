"""The phone's app as a program: it calls the server's REST API over WiFi and resumes interrupted downloads.

Every request that changes something carries an Idempotency-Key, and a repetition carries the same key. So the app
answers a lost answer, a killed server and a starting server in one way: it sends the same request again.
"""

import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx2
import stamina
from joserfc.jwk import KeySet

from kswifi.kernel.errors import KswifiError

_T = TypeVar("_T")
_PACKETS: Final = 32
_CODE_DIGITS: Final = 6
_CONFIRM_SECONDS: Final = 30.0
_TRIES: Final = 40
_TRY_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.05
_PIECE_OCTETS: Final = 1024
_BUSY: Final = (429, 502, 503, 504)
_DOWNLOADABLE: Final = ("released", "downloaded")

Download = Callable[[int, int], None]
"""Called while octets arrive, with the number received so far and the total."""


@dataclass(slots=True)
class Downloaded:
    """How a download went.

    Attributes:
        tries: how many requests it took.
        broke_off: whether the connection was dropped on purpose.
        resumed_at: the octet at which the server last resumed it (206); None if it never did.
        etag: the entity tag of the package, which a resumption must match.
    """

    tries: int = 0
    broke_off: bool = False
    resumed_at: int | None = None
    etag: str = ""


class AppError(KswifiError):
    """The server refused a request, or did not reach an expected state in time."""

    code = "app_refused"


class _BusyError(Exception):
    """The server cannot answer now; the request is sent again."""


class PhoneApp:
    """One signed-in user on one phone."""

    def __init__(self, origin: str) -> None:
        self._client = httpx2.Client(base_url=origin, timeout=20.0, trust_env=False)
        self._csrf_token = ""

    def leave_wifi(self) -> None:
        """Close the connections made over WiFi, and stay signed in. The next request opens a new connection."""
        left = self._client
        self._client = httpx2.Client(
            base_url=left.base_url, timeout=left.timeout, trust_env=False, cookies=left.cookies
        )
        left.close()

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def register(self, identifier: str, password: str) -> str:
        """Create an account and sign in; return its recovery code. If the account exists, only sign in."""
        credentials = {"identifier": identifier, "password": password}
        answer = self._request("POST", "/api/v1/accounts", json=credentials, accept=(201, 409))
        if answer.status_code == 409:  # an earlier answer was lost
            answer = self._request("POST", "/api/v1/logins", json=credentials, accept=(201,))
        body = answer.json()
        self._csrf_token = str(body["csrf_token"])
        return str(body.get("recovery_code", ""))

    def offers(self) -> list[dict[str, Any]]:
        """Return the offers that can be ordered."""
        return list(self._get("/api/v1/offers")["offers"])

    def keys(self) -> KeySet:
        """Return the server's public keys, which verify packages (RFC 7517)."""
        return KeySet.import_key_set(self._request("GET", "/.well-known/jwks.json", accept=(200,)).json())

    def order(self, offer_id: str) -> dict[str, Any]:
        """Order an InternetSession and return it."""
        return self._post("/api/v1/sessions", {"offer_id": offer_id}, accept=(201,))

    def buy(self, offer_id: str, seconds: float = 30.0) -> dict[str, Any]:
        """Pay for an offer with the button of the sandbox gateway's checkout; return the settled payment.

        Raises:
            AppError: the payment is not at the sandbox (a program must not move real money), or it does not settle
                within ``seconds``.
        """
        payment = self._post("/api/v1/payments", {"offer_id": offer_id}, accept=(201,))
        url = f"/api/v1/payments/{payment['reference']}"
        until = time.monotonic() + seconds
        if not payment["sandbox"]:
            raise AppError("this is no sandbox: money would move")
        while payment["checkout_url"] is None and payment["state"] == "intended" and time.monotonic() < until:
            time.sleep(_POLL_SECONDS)
            payment = self._get(url)
        page = self._client.get(str(payment["checkout_url"]))
        paid = self._client.post(f"{payment['checkout_url']}/pay")
        if page.status_code != httpx2.codes.OK or paid.status_code != httpx2.codes.SEE_OTHER:
            raise AppError(f"the checkout answered {page.status_code} and {paid.status_code}")
        while (payment := self._get(url))["state"] != "settled":
            if time.monotonic() > until:
                raise AppError(f"the payment is {payment['state']}, and not settled", state=str(payment["state"]))
            time.sleep(_POLL_SECONDS)
        return payment

    def current_pass(self) -> dict[str, Any]:
        """Return the user's pass."""
        return self._get("/api/v1/pass")

    def internet_session(self, session_id: str) -> dict[str, Any]:
        """Return one InternetSession."""
        return self._get(f"/api/v1/sessions/{session_id}")

    def wait_until(self, session_id: str, states: Sequence[str], seconds: float = 30.0) -> dict[str, Any]:
        """Wait until the InternetSession is in one of these states, and return it.

        Raises:
            AppError: it is not, after ``seconds``.
        """
        until = time.monotonic() + seconds
        while (found := self.internet_session(session_id))["state"] not in states:
            if time.monotonic() > until:
                raise AppError(
                    f"the session is {found['state']}, and not {' or '.join(states)} after {seconds:g} seconds",
                    state=str(found["state"]),
                )
            time.sleep(_POLL_SECONDS)
        return found

    def download(
        self, session_id: str, target: Path, watch: Download, break_off_at: int | None = None
    ) -> Downloaded:
        """Download the package into ``target``; resume it where it was interrupted.

        Args:
            session_id: the InternetSession.
            target: the file; it is overwritten.
            watch: called while octets arrive.
            break_off_at: drop the connection once, at this octet, as a lost WiFi would.
        """
        so_far = Downloaded()
        target.write_bytes(b"")
        for attempt in _again():
            with attempt:
                so_far.tries += 1
                cut = break_off_at if so_far.tries == 1 else None
                self._fetch_rest(session_id, target, so_far, watch, cut)
        return so_far

    def downloaded(self, session_id: str, sha256: str) -> dict[str, Any]:
        """Report that the whole package, with this digest, is on the device."""
        return self._post(f"/api/v1/sessions/{session_id}/downloaded", {"sha256": sha256})

    def transfer(self, session_id: str, esim_id: str) -> dict[str, Any]:
        """Request the transfer to the eSIM."""
        return self._post(f"/api/v1/sessions/{session_id}/transfer", {"esim_id": esim_id})

    def wait_for_profile(self, esim_id: str, seconds: float = 30.0) -> None:
        """Wait until the profile of our eSIM can be downloaded.

        Raises:
            AppError: it cannot, after ``seconds``.
        """
        until = time.monotonic() + seconds
        while (state := self._get(f"/api/v1/esims/{esim_id}")["profile_state"]) not in _DOWNLOADABLE:
            if time.monotonic() > until:
                raise AppError(f"the profile is {state}, and not released", state=str(state))
            time.sleep(_POLL_SECONDS)

    def profile_state(self, esim_id: str) -> str:
        """Return the state of an eSIM's profile."""
        return str(self._get(f"/api/v1/esims/{esim_id}")["profile_state"])

    def card_contents(self, esim_id: str) -> dict[str, Any]:
        """Return the sessions of an eSIM, and the order in which they are used."""
        return self._get(f"/api/v1/esims/{esim_id}/sessions")

    def arrange(self, esim_id: str, order: Sequence[str], *, continue_with_next: bool) -> None:
        """Set the order of use, and whether the next session follows by itself; wait until the ledger confirms it.

        Raises:
            AppError: it was not confirmed in time.
        """
        body = {"order": list(order), "continue_with_next": continue_with_next}
        self._post(f"/api/v1/esims/{esim_id}/sessions", body)
        until = time.monotonic() + _CONFIRM_SECONDS
        while True:
            contents = self.card_contents(esim_id)
            confirmed = contents["order"][: len(order)] == list(order)
            if confirmed and contents["continue_with_next"] is continue_with_next:
                return
            if time.monotonic() > until:
                raise AppError("the order of use was not confirmed")
            time.sleep(_POLL_SECONDS)

    def carry_packets(self, esim_id: str, hand_over: Callable[[str, Sequence[bytes]], bytes]) -> int:
        """Carry secured packets from the server to the card, and proofs back, until none is left.

        Args:
            esim_id: the eSIM.
            hand_over: gives the ENVELOPE commands of a packet to the card with this ICCID; returns its answer.

        Returns:
            How many packets the card has proved.

        Raises:
            AppError: packets are left after ``_PACKETS`` attempts.
        """
        proved = 0
        at = f"/api/v1/esims/{esim_id}/packets"
        for _ in range(_PACKETS):
            packet = self._post(at, None)["packet"]
            if packet is None:
                return proved
            envelopes = [bytes.fromhex(it) for it in packet["envelopes"]]
            answer = hand_over(str(packet["iccid"]), envelopes)
            proof = self._post(f"{at}/{packet['packet_id']}", {"answer": answer.hex()})
            proved += proof["result"] == "proved"
        raise AppError(f"the card has not accepted all packets after {_PACKETS} attempts")

    def give(self, session_id: str, octets: int) -> dict[str, Any]:
        """Offer octets of a session to another account; return the gift with its code."""
        return self._post("/api/v1/gifts", {"session_id": session_id, "octets": octets}, accept=(201,))

    def wait_for_gift(self, transfer_id: str, states: Sequence[str], seconds: float = 30.0) -> dict[str, Any]:
        """Wait until one of our latest gifts is in one of these states, and return it.

        Raises:
            AppError: it is not, after ``seconds``.
        """
        until = time.monotonic() + seconds
        while True:
            gifts = self._get("/api/v1/gifts")["gifts"]
            gift: dict[str, Any] | None = next((it for it in gifts if it["transfer_id"] == transfer_id), None)
            if gift is not None and gift["state"] in states:
                return gift
            if time.monotonic() > until:
                state = "unknown" if gift is None else str(gift["state"])
                raise AppError(f"the gift is {state}, and not {' or '.join(states)}", state=state)
            time.sleep(_POLL_SECONDS)

    def claim(self, code: str) -> dict[str, Any]:
        """Claim a gift by its code; return it with the session that was ordered for us."""
        return self._post(f"/api/v1/gifts/{code}/claim", {})

    def ask_to_move(self, esim_id: str, why: str) -> dict[str, Any]:
        """Freeze one of our eSIMs, and ask for its sessions to move to a new one."""
        return self._post("/api/v1/moves", {"esim_id": esim_id, "why": why}, accept=(201,))

    def confirm_move(self, move_id: str, recovery_code: str) -> dict[str, Any]:
        """Confirm a move with the recovery code."""
        return self._post(f"/api/v1/moves/{move_id}/confirm", {"recovery_code": recovery_code})

    def wait_for_move(self, move_id: str, states: Sequence[str], seconds: float = 60.0) -> dict[str, Any]:
        """Wait until one of our latest moves is in one of these states, and return it.

        Raises:
            AppError: it is not, after ``seconds``.
        """
        until = time.monotonic() + seconds
        while True:
            moves = self._get("/api/v1/moves")["moves"]
            move: dict[str, Any] = next(it for it in moves if it["move_id"] == move_id)
            if move["state"] in states:
                return move
            if time.monotonic() > until:
                raise AppError(f"the move is {move['state']}, and not {' or '.join(states)}", state=move["state"])
            time.sleep(_POLL_SECONDS)

    def switch(self, session_id: str, to: str) -> dict[str, Any]:
        """Request ``activate``, ``deactivate`` or ``cancel``."""
        return self._post(f"/api/v1/sessions/{session_id}/{to}", None)

    def found(self, url: str) -> dict[str, Any] | None:
        """Return what a GET finds; None while the server answers that it is not there yet (409)."""
        answer = self._request("GET", url, accept=(200, 409))
        return None if answer.status_code == httpx2.codes.CONFLICT else dict(answer.json())

    def send_portion(self, session_id: str) -> dict[str, Any]:
        """Request the next portion of a session for the line that the person has."""
        return self._post(f"/api/v1/sessions/{session_id}/portions", None)

    def keep_number(self, number: str, networks: Sequence[str]) -> str:
        """Verify a phone number with the code of the lab's outbox; keep it for the first network that is served.

        Raises:
            AppError: no network is served, or no code came.
        """
        made = self._post("/api/v1/phone-verifications", {"phone_number": number})
        at = f"/api/v1/phone-verifications/{made['verification_id']}"
        until = time.monotonic() + _CONFIRM_SECONDS
        while self._get(at)["state"] != "sent":
            if time.monotonic() > until:
                raise AppError("the code was not sent")
            time.sleep(_POLL_SECONDS)
        code = "".join(it for it in str(self._get(f"{at}/lab-message")["words"]) if it.isdigit())[:_CODE_DIGITS]
        refusal: AppError | None = None
        for network in networks:
            try:
                once_mapped(partial(self._post, f"{at}/confirm", {"code": code, "keep_for_network": network}))
            except AppError as error:
                if error.facts.get("problem") != "network_unknown":
                    raise
                refusal = error
            else:
                return network
        raise refusal or AppError("no network was given")

    def usage(self, session_id: str) -> dict[str, Any]:
        """Return the balance of the session in the ledger, and its age."""
        return self._get(f"/api/v1/sessions/{session_id}/usage")

    def _fetch_rest(
        self, session_id: str, target: Path, so_far: Downloaded, watch: Download, cut: int | None
    ) -> None:
        have = target.stat().st_size if so_far.etag else 0
        headers = {"Range": f"bytes={have}-", "If-Range": so_far.etag} if have else {}
        url = f"/api/v1/sessions/{session_id}/package"
        with self._client.stream("GET", url, headers={**headers, "Accept-Encoding": "identity"}) as answer:
            if answer.status_code not in (200, 206):
                answer.read()
                raise _BusyError(answer.text[:200]) if answer.status_code in _BUSY else _refusal(answer)
            # Stored before the body is read, because an interrupted body is what needs it.
            so_far.etag = str(answer.headers["ETag"])
            if answer.status_code == 200:
                have = 0
            else:
                so_far.resumed_at = have
            total = have + int(answer.headers["Content-Length"])
            with target.open("r+b") as file:
                file.truncate(have)
                file.seek(have)
                for piece in answer.iter_bytes(_PIECE_OCTETS):
                    file.write(piece)
                    have += len(piece)
                    watch(have, total)
                    if cut is not None and have >= cut:
                        file.flush()
                        so_far.broke_off = True
                        raise httpx2.ReadError("the WiFi broke off")

    def _get(self, url: str) -> dict[str, Any]:
        body: dict[str, Any] = self._request("GET", url, accept=(200,)).json()
        return body

    def _post(
        self, url: str, body: Mapping[str, Any] | None, accept: Sequence[int] = (200, 201, 202)
    ) -> dict[str, Any]:
        key = str(uuid.uuid4())
        answer: dict[str, Any] = self._request("POST", url, json=body, key=key, accept=accept).json()
        return answer

    def _request(
        self,
        method: str,
        url: str,
        *,
        json: Mapping[str, Any] | None = None,
        key: str | None = None,
        accept: Sequence[int],
    ) -> httpx2.Response:
        headers = {} if key is None else {"Idempotency-Key": key, "X-CSRF-Token": self._csrf_token}
        for attempt in _again():
            with attempt:
                answer = self._client.request(method, url, json=json, headers=headers)
                if answer.status_code in _BUSY or _in_flight(answer):
                    raise _BusyError(answer.text[:200])
                if answer.status_code not in accept:
                    raise _refusal(answer)
                return answer
        raise AppError(f"no answer to {method} {url}")


def _again() -> Iterable[stamina.Attempt]:
    """Repeat a request that found no server or a busy one, with growing pauses."""
    return stamina.retry_context(
        on=(httpx2.TransportError, _BusyError),
        attempts=_TRIES,
        timeout=_TRY_SECONDS,
        wait_initial=0.05,
        wait_max=1.0,
        wait_jitter=0.1,
    )


def _in_flight(answer: httpx2.Response) -> bool:
    return answer.status_code == 409 and "request_in_flight" in answer.text


def _refusal(answer: httpx2.Response) -> AppError:
    try:
        problem = answer.json()
        return AppError(
            str(problem.get("detail") or problem.get("title")),
            status=answer.status_code,
            problem=problem.get("code"),
        )
    except ValueError:
        return AppError(f"HTTP {answer.status_code} without a problem document", status=answer.status_code)


def once_mapped(call: Callable[[], _T]) -> _T:
    """Return the result of ``call``, repeated until the server has read the provider's catalogue.

    Raises:
        AppError: the call is refused for another reason, or the catalogue is not read in time.
    """
    until = time.monotonic() + _CONFIRM_SECONDS
    while True:
        try:
            return call()
        except AppError as error:
            if error.facts.get("problem") != "bundle_not_mapped" or time.monotonic() > until:
                raise
            time.sleep(_POLL_SECONDS)
