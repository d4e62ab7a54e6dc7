"""All settings, as environment variables: KSWIFI_ and the name of the setting in capitals.

Every setting has a default with which the whole system runs on this machine. Every value is checked before anything
starts. A variable that begins with KSWIFI_ and is no setting is refused too: a mistyped limit must not be ignored.
A secret can be given as a file instead (``kswifi.settings.secret_files``).
"""

import difflib
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from kswifi.desk.fraud.model import VelocityRule
from kswifi.free_data.rules import FreeDataRules, Requirement
from kswifi.kernel.errors import KswifiError
from kswifi.kernel.listening import authority
from kswifi.people.rules import GiftRules
from kswifi.providers.payments.registry import GATEWAYS, GatewayOptions
from kswifi.rsp.access_rules import CarrierApp
from kswifi.settings.charging import ChargingSettings
from kswifi.settings.clock import ClockSettings
from kswifi.settings.connections import ConnectionSettings
from kswifi.settings.data_providers import DataProviderSettings
from kswifi.settings.described import PREFIX as PREFIX
from kswifi.settings.diameter import DiameterSettings
from kswifi.settings.disk import DiskSettings
from kswifi.settings.edge import EdgeSettings
from kswifi.settings.fraud import FraudSettings
from kswifi.settings.free_data import FreeDataSettings
from kswifi.settings.gifts import GiftSettings
from kswifi.settings.line_limits import LineLimitSettings
from kswifi.settings.listen import reachable
from kswifi.settings.phones import PhoneSettings
from kswifi.settings.provisioning import ProvisioningSettings
from kswifi.settings.secret_files import FILE_SUFFIX, read_secret_files, secret_settings
from kswifi.settings.standing_orders import StandingOrderSettings
from kswifi.settings.supply import SupplySettings
from kswifi.settings.support import SupportSettings
from kswifi.supply.passes import PassEconomics

_SYSTEM_DIRECTORY_NAMES: Final = """
    . bin boot dev etc home lib lib64 opt proc root run sbin sys tmp usr var
    usr/bin usr/lib usr/local usr/sbin usr/share
    var/cache var/lib var/lock var/log var/run var/spool var/tmp
"""
_SYSTEM_DIRECTORIES: Final = tuple(Path("/", name) for name in _SYSTEM_DIRECTORY_NAMES.split())
"""Directories of the Filesystem Hierarchy Standard that other software shares; a folder inside one is allowed."""

Port = Annotated[int, Field(ge=0, le=65535)]


class SettingsInvalidError(KswifiError):
    """A setting is invalid; the message names its variable."""

    code = "settings_invalid"


class Settings(
    DiameterSettings,
    ChargingSettings,
    ClockSettings,
    ConnectionSettings,
    DataProviderSettings,
    DiskSettings,
    EdgeSettings,
    FraudSettings,
    FreeDataSettings,
    GiftSettings,
    LineLimitSettings,
    PhoneSettings,
    ProvisioningSettings,
    StandingOrderSettings,
    SupplySettings,
    SupportSettings,
):
    """The settings. Port 0 takes a free port. Lists are separated by commas."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    # Where and how it runs
    data_dir: Annotated[Path, Field(description="Databases, keys, and the lab's own folder.")] = Path("var")
    database_url: Annotated[
        SecretStr | None,
        Field(
            description="The control plane's database: postgresql://USER:PASSWORD@HOST/NAME. Without it, a file of "
            "SQLite in the data directory."
        ),
    ] = None
    log_level: Annotated[Literal["debug", "info", "warning", "error"], Field(description="What is logged.")] = (
        "info"
    )
    log_format: Annotated[
        Literal["text", "json"],
        Field(description="Log lines as key='value' pairs for people, or as JSON objects for programs."),
    ] = "text"
    access_log: Annotated[
        bool,
        Field(
            description="Log a line for each HTTP request: method, route, status, octets, duration, client address."
        ),
    ] = False

    # Where it listens: addresses are in kswifi.settings.listen
    api_port: Annotated[Port, Field(description="REST, events and the page.")] = 8080
    diameter_port: Annotated[Port, Field(description="Gy and S6a.")] = 3868
    diameter_tls_port: Annotated[Port, Field(description="Gy and S6a over TLS, at diameter_tls_host.")] = 5658
    rsp_port: Annotated[Port, Field(description="ES9+ of the SM-DP+, over TLS.")] = 8443
    lab_port: Annotated[Port, Field(description="The lab phone's control.")] = 8081
    content_port: Annotated[Port, Field(description="The lab's content server.")] = 8082
    proxy_port: Annotated[Port, Field(description="The access gateway's HTTP proxy.")] = 3128
    attach_port: Annotated[Port, Field(description="The access gateway's attach wire.")] = 36412
    console_port: Annotated[Port, Field(description="The console of the operator's staff, at console_host.")] = 8088
    sandbox_port: Annotated[Port, Field(description="The sandbox payment gateway, in which no money moves.")] = 8085

    # The app that Android shall trust with our profiles (docs/android.md)
    carrier_app_sha256: Annotated[
        str | None,
        Field(
            pattern=r"^([0-9a-fA-F]{2}:?){31}[0-9a-fA-F]{2}$",
            description="SHA-256 of the certificate that signs your Android app: new profiles name it.",
        ),
    ] = None
    carrier_app_package: Annotated[
        str,
        Field(
            max_length=100, pattern=r"^[A-Za-z0-9_.]*$", description="That app's package name, if it shall count."
        ),
    ] = ""

    # For phones in the same network: `kswifi up --lan`
    lan_address: Annotated[
        str | None,
        Field(
            description="Private IPv4 address where the page is served by HTTPS too, under this machine's own CA."
        ),
    ] = None
    lan_port: Annotated[Port, Field(description="The page by HTTPS at lan_address.")] = 8444
    trust_port: Annotated[Port, Field(description="At lan_address, by HTTP: how to trust that CA.")] = 8083

    # The origin and names by which people reach the server
    public_origin: Annotated[
        str | None,
        Field(description="scheme://host[:port] of the page, without a path; from host and api_port if not set."),
    ] = None
    allowed_hosts: Annotated[
        tuple[str, ...],
        NoDecode,
        Field(max_length=50, description="Host names this server answers to in addition to its own."),
    ] = ()

    smdp_address: Annotated[
        str | None,
        Field(
            max_length=253,
            pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?$",
            description="The SM-DP+'s name in activation codes, with :port if it is not 443.",
        ),
    ] = None

    push_contact: Annotated[
        str | None,
        Field(
            max_length=254,
            pattern=r"^(mailto:[^@\s]+@[^@\s]+|https://\S+)$",
            description="Contact for push services (mailto: or https:); the page's origin if not set.",
        ),
    ] = None

    # Offers and validity
    offers_file: Annotated[Path | None, Field(description="Your own offers.toml; else the one included.")] = None
    time_zone: Annotated[str, Field(description="The zone in whose days validity ends.")] = "Africa/Lagos"

    # Payments
    paystack_secret_key: Annotated[
        SecretStr | None,
        Field(
            description="sk_live_... takes payments through Paystack, sk_test_... rehearses with it; without it, "
            "embedded mode has its sandbox gateway and own-core takes no payments."
        ),
    ] = None
    payments_rehearsal: Annotated[
        bool, Field(description="own-core: start with a key sk_test_..., so passes are given and no money moves.")
    ] = False
    paystack_url: Annotated[
        str, Field(pattern=r"^https?://[^/?#]+$", description="Paystack's API, or `kswifi payments rehearse`.")
    ] = "https://api.paystack.co"
    payment_gateway: Annotated[
        str | None,
        Field(
            description=f"Which gateway takes payments: {', '.join(GATEWAYS)}. If not set: paystack where "
            "KSWIFI_PAYSTACK_SECRET_KEY is set, else the sandbox in embedded mode."
        ),
    ] = None
    payment_secret_key: Annotated[
        SecretStr | None, Field(description="The secret key at payment_gateway, if that is not paystack.")
    ] = None
    payment_url: Annotated[
        str | None,
        Field(pattern=r"^https?://[^/?#]+$", description="The API of payment_gateway, if it is not its own."),
    ] = None
    payments_email: Annotated[
        str | None,
        Field(
            max_length=254,
            pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$",
            description="Stands for payers without an email address: Paystack asks for one. Shown on receipts.",
        ),
    ] = None
    operator_name: Annotated[str, Field(min_length=1, max_length=80, description="Who receipts are from.")] = (
        "KSWiFi"
    )
    pass_fair_use_octets: Annotated[
        int | None, Field(ge=1_000_000, le=10**15, description="What one pass gives at most; none if not set.")
    ] = None
    pass_at_a_loss: Annotated[
        bool, Field(description="Sell passes in resold mode although their fair use costs more than they bring.")
    ] = False
    payment_fee_basis_points: Annotated[
        int, Field(ge=0, le=10_000, description="What payment_gateway keeps of a payment, in hundredths of 1 %.")
    ] = 150
    pass_sessions_at_once: Annotated[
        int, Field(ge=1, le=1_000, description="Unfinished sessions that one user may have under a pass.")
    ] = 20

    # Signing in
    login_days: Annotated[int, Field(ge=1, le=366, description="The longest a sign-in lasts.")] = 30
    login_idle_days: Annotated[int, Field(ge=1, le=366, description="A sign-in unused this long ends.")] = 14
    registrations_per_hour: Annotated[
        int, Field(ge=1, le=100_000, description="New accounts from one address in an hour.")
    ] = 30
    writes_per_minute: Annotated[
        int, Field(ge=10, le=1_000_000, description="Requests of one account in a minute that change something.")
    ] = 600
    logins_per_quarter_hour: Annotated[
        int, Field(ge=1, le=100_000, description="Attempts to sign in from one address in 15 minutes.")
    ] = 60

    @field_validator("data_dir")
    @classmethod
    def _own_directory(cls, path: Path) -> Path:
        whole = path.resolve()
        if any(whole in (system, system.resolve()) for system in _SYSTEM_DIRECTORIES):
            raise ValueError(
                f"{str(path)!r} is the system directory {whole}: name a directory for KSWiFi alone, "
                "for example /var/lib/kswifi"
            )
        return path

    @model_validator(mode="after")
    def _absolute_outside_embedded(self) -> Self:
        if not (self.mode == "embedded" or self.rehearses_supply) and not self.data_dir.is_absolute():
            raise ValueError(
                f"data_dir is {str(self.data_dir)!r}, which depends on the folder that a command is started in: "
                "outside embedded mode set KSWIFI_DATA_DIR to an absolute path, for example /var/lib/kswifi"
            )
        return self

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _names_only(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if urlsplit(f"//{name}").hostname != name.lower().strip("[]"):
                raise ValueError(f"{name!r} is not a host name or address alone, without a port")
        return tuple(name.lower().strip("[]") for name in names)

    @field_validator("public_origin")
    @classmethod
    def _origin_only(cls, origin: str | None) -> str | None:
        if origin is not None:
            parts = urlsplit(origin)
            if (
                parts.scheme not in ("http", "https")
                or not parts.hostname
                or f"{parts.scheme}://{parts.netloc}" != origin
            ):
                raise ValueError("write it as http://host:port or https://host, without anything after it")
            if parts.username is not None:
                raise ValueError("an origin has no user in it")
        return origin

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"there is no time zone {name!r}") from None
        return name

    @field_validator("paystack_secret_key")
    @classmethod
    def _a_secret_key(cls, key: SecretStr | None) -> SecretStr | None:
        entry = GATEWAYS["paystack"]
        if key is not None and not entry.accepts_key(key.get_secret_value()):
            raise ValueError(f"Paystack's secret keys {entry.key_words}")
        return key

    @field_validator("offers_file")
    @classmethod
    def _there(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_file():
            raise ValueError(f"there is no file {path}")
        return path

    @model_validator(mode="after")
    def _distinct_ports(self) -> Self:
        taken: dict[int, str] = {}
        for name in "api metrics diameter diameter_tls rsp es2 lab content proxy attach sandbox lan trust".split():  # noqa: SIM905 - one line
            port: int = getattr(self, f"{name}_port") or 0
            if port and port in taken:
                raise ValueError(f"{name}_port and {taken[port]}_port are both {port}")
            taken[port] = name
        return self

    @model_validator(mode="after")
    def _rehearsal_said_outright(self) -> Self:
        entry = GATEWAYS.get(self.payment_gateway_name or "")
        is_test = entry is not None and self.payment_options.secret_key.startswith(entry.test_prefix)
        if self.mode != "embedded" and is_test and not self.payments_rehearsal:
            raise ValueError(
                f"the secret key of {self.payment_gateway_name} is a test key: people would get passes and pay "
                "nothing. Set payments_rehearsal=true if this server rehearses, or a live key"
            )
        return self

    @model_validator(mode="after")
    def _tranches_of_several_grants(self) -> Self:
        tranche, least = self.free_tranche_octets, 4 * self.grant_cap_octets
        if tranche is not None and tranche < least:
            raise ValueError(
                f"free_tranche_octets is at least {least}, four of the largest grants: the next is released "
                "half-way through the last, which is only known as grants are reported"
            )
        return self

    @model_validator(mode="after")
    def _payer_without_email(self) -> Self:
        if self.payment_gateway_name not in (None, "sandbox") and self.payments_email is None:
            raise ValueError("payments_email is needed too: gateways ask for an address, and many payers have none")
        return self

    @model_validator(mode="after")
    def _codes_can_be_sent(self) -> Self:
        if self.free_requires is Requirement.PHONE and self.mode != "embedded" and self.sms_provider == "none":
            raise ValueError("free_requires asks for a verified phone, and no sms_provider sends codes")
        return self

    @model_validator(mode="after")
    def _gateway_with_its_key(self) -> Self:
        if self.payment_gateway is None:
            if self.payment_secret_key is not None:
                raise ValueError("payment_gateway is needed too: payment_secret_key does not say whose key it is")
            return self
        entry, key = GATEWAYS.get(self.payment_gateway), self.payment_options.secret_key
        if entry is None:
            raise ValueError(f"there is no payment gateway {self.payment_gateway!r}: choose {', '.join(GATEWAYS)}")
        if not entry.accepts_key(key):
            raise ValueError(f"payment_secret_key: the keys of {self.payment_gateway} {entry.key_words}")
        return self

    @property
    def pass_economics(self) -> PassEconomics:
        """The rules by which passes are sold in resold mode."""
        return PassEconomics(self.pass_fair_use_octets, self.payment_fee_basis_points, self.pass_at_a_loss)

    @property
    def rehearses_supply(self) -> bool:
        """True if resold mode has no data provider and rehearses with one of its own, on this machine."""
        return self.mode == "resold" and not self.data_providers

    @property
    def gives_control_only_access(self) -> bool:
        """True if the network gives a stopped line control-only access: our gateway, or such a core."""
        restricts = bool(self.control_only_peers) or self.final_unit_action == "restrict_access"
        return self.mode == "embedded" or (self.mode == "own-core" and restricts)

    @property
    def people_rules(self) -> GiftRules:
        """The rules of gifts."""
        return self.gift_rules(embedded=self.mode == "embedded")

    @property
    def gives_real_octets(self) -> bool:
        """True unless everything runs on this machine for show: embedded mode, or a rehearsal of resold mode."""
        return self.mode != "embedded" and not self.rehearses_supply

    @property
    def fraud_rules(self) -> tuple[VelocityRule, ...]:
        """The rules by which accounts are held for review."""
        return self.velocity_rules(real_octets=self.gives_real_octets)

    @property
    def free_rules(self) -> FreeDataRules:
        """The rules of free data. Outside embedded mode they are guarded, unless the operator overrides that."""
        rules = self.free_data_rules(
            guarded=self.gives_real_octets and not self.free_without_safeguards,
            sends_codes=self.sms_provider != "none",
        )
        return replace(rules, zone=self.zone, bundles_priced=self.mode == "resold")

    @property
    def requires_proof(self) -> bool:
        """True if an identifier must be proved by a code before it can have an account."""
        if self.identifier_proof is not None:
            return self.identifier_proof
        return self.gives_real_octets

    @property
    def payment_gateway_name(self) -> str | None:
        """The name of the gateway that takes payments; None if there is none."""
        if self.payment_gateway is not None:
            return self.payment_gateway
        if self.paystack_secret_key is not None:
            return "paystack"
        return "sandbox" if self.mode == "embedded" else None

    @property
    def payment_options(self) -> GatewayOptions:
        """The key and the address of the configured gateway; Paystack has settings of its own."""
        key, url = self.payment_secret_key, self.payment_url
        if self.payment_gateway_name == "paystack" and key is None:
            key, url = self.paystack_secret_key, self.paystack_url
        return GatewayOptions("" if key is None else key.get_secret_value(), url)

    @property
    def sandbox_origin(self) -> str:
        """The origin of the sandbox gateway; phones in the network open its checkout there too."""
        return f"http://{authority(self.lan_address or self.reachable_host, self.sandbox_port)}"

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which days of validity end."""
        return ZoneInfo(self.time_zone)

    @property
    def origin(self) -> str:
        """The origin of the page: the setting, else host and API port.

        For this machine it is ``localhost``, not its address: browsers make passkeys for names only.
        """
        if self.public_origin is not None:
            return self.public_origin
        if self.lan_address is not None:
            return f"https://{self.lan_address}:{self.lan_port}"
        if self.reachable_host == "127.0.0.1" or self.api_bind == "::":
            return f"http://localhost:{self.api_port}"
        return f"http://{authority(self.reachable_host, self.api_port)}"

    @property
    def hides_clients(self) -> bool:
        """True if people use HTTPS, so that a proxy must be in front, and no trusted proxy is configured."""
        return (
            self.public_origin is not None
            and self.public_origin.startswith("https:")
            and self.lan_address is None
            and not self.trusted_proxies
        )

    @property
    def carrier_apps(self) -> tuple[CarrierApp, ...]:
        """The apps that Android shall trust with new profiles."""
        if self.carrier_app_sha256 is None:
            return ()
        return (CarrierApp(bytes.fromhex(self.carrier_app_sha256.replace(":", "")), self.carrier_app_package),)

    @property
    def smdp_name(self) -> str:
        """The SM-DP+'s name in activation codes: the setting, else this machine and the port."""
        return self.smdp_address or f"localhost:{self.rsp_port}"

    @property
    def peer_address(self) -> str | None:
        """The name, in activation codes, of the external SM-DP+ that delivers new profiles; None for our own."""
        return None if self.es2_peer_url is None else self.es2_peer_address

    @property
    def lab_origin(self) -> str | None:
        """The origin of the lab phone's control; None without the lab."""
        return f"http://{authority(self.host, self.lab_port)}" if self.mode == "embedded" else None

    @property
    def reachable_host(self) -> str:
        """The address for connections to the API: loopback if it listens on all addresses."""
        return reachable(self.api_bind)

    @property
    def hosts(self) -> frozenset[str]:
        """All names in a Host header that this server accepts."""
        own = {"127.0.0.1", "localhost", "::1", self.api_bind.lower(), urlsplit(self.origin).hostname or ""}
        return frozenset(own | set(self.allowed_hosts)) - {"", "0.0.0.0", "::"}

    @property
    def login_lifetime(self) -> timedelta:
        """The maximum lifetime of a LoginSession."""
        return timedelta(days=self.login_days)

    @property
    def login_idle(self) -> timedelta:
        """The maximum time that a LoginSession may be unused."""
        return timedelta(days=self.login_idle_days)


def load_settings(**given: Any) -> Settings:
    """Read the environment and the files of secrets, and check them; ``given`` (the command line) overrides both.

    Raises:
        SettingsInvalidError: a setting is invalid, or a KSWIFI_ variable is no setting.
        SECRET_FILE_REFUSED: the file of a secret cannot be used, or the secret is set twice.
    """
    secrets = secret_settings(Settings.model_fields)
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    known |= {f"{PREFIX}{name.upper()}{FILE_SUFFIX}" for name in secrets}
    ours = {name.upper() for name in os.environ if name.upper().startswith(PREFIX)}
    for name in sorted(ours - known):
        near = difflib.get_close_matches(name, known, 1)
        raise SettingsInvalidError(
            f"{name} is no setting" + (f": did you mean {near[0]}?" if near else ""), variable=name
        )
    from_files = {name: it.value for name, it in read_secret_files(secrets, os.environ).items()}
    try:
        return Settings(**{**from_files, **given})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        variable = PREFIX + str(first["loc"][0]).upper() if first["loc"] else f"{PREFIX}*"
        raise SettingsInvalidError(
            f"{variable}: {first['msg'].removeprefix('Value error, ')}", variable=variable
        ) from error
