"""The services that the bootstrap passes to the console."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from kswifi.catalogue.service import Catalogue
from kswifi.database.engine import Database
from kswifi.desk.callers import CallerChecks
from kswifi.desk.staff import StaffPasskeys
from kswifi.desk.venue_reports import ReportLinks
from kswifi.free_data.rules import FreeDataRules
from kswifi.kernel.local_days import local_day
from kswifi.vouchers.codes import VoucherCodes

Check = Callable[[], Awaitable[bool]]
"""Tells whether a part of the server is available now."""


@dataclass(frozen=True, slots=True)
class ConsoleServices:
    """The capabilities behind the console.

    Attributes:
        origin: scheme://host[:port] at which staff reach the console; with https its cookie is Secure.
        allowed_hosts: the names in Host that it answers to.
        public_origin: scheme://host[:port] at which venues read their reports.
        demo: True in embedded mode: a person at this machine may sign in as a demo member of staff.
        health: facts about the server for the page Health, by name.
    """

    database: Database
    passkeys: StaffPasskeys
    callers: CallerChecks
    catalogue: Catalogue
    codes: VoucherCodes
    rules: FreeDataRules
    reports: ReportLinks
    zone: ZoneInfo
    origin: str
    allowed_hosts: frozenset[str]
    public_origin: str
    demo: bool = False
    readiness: Mapping[str, Check] = field(default_factory=dict)
    health: Callable[[], Mapping[str, int]] = dict

    @property
    def https(self) -> bool:
        """Whether staff reach the console by TLS."""
        return urlsplit(self.origin).scheme == "https"

    def today(self) -> date:
        """Return the local day."""
        return local_day(self.database.clock.now(), self.zone)
