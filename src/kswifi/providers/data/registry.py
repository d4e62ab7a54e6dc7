"""The registry of data providers, by their names in ``KSWIFI_DATA_PROVIDERS``.

To add one: write a module in this folder with ``open_provider(options, clock) -> DataProvider``, ``CAPABILITIES``
and ``UNCONFIRMED``, add its line to ``PROVIDERS``, and give it a face in `lab/rehearsal/providers/`, so that the
contract suite (`tests/contract/data_providers/`) runs over it.
Its webhooks arrive at ``/webhooks/{name}/{secret path}``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Final

from kswifi.kernel.clock import Clock
from kswifi.supply.ports import Capabilities, DataProvider


@dataclass(frozen=True, slots=True)
class ProviderOptions:
    """The settings of one provider.

    Attributes:
        api_key: the key, or eSIM Access's access code.
        public_key: VTpass's key for calls that only read.
        secret_key: VTpass's key for calls that buy; eSIM Access's key for signatures.
        sandbox: no real money moves at this address.
        url: the address of the API, if it differs from the provider's own.
        webhook_senders: networks (CIDR) from which webhooks are accepted; empty for those that the provider
            documents, or any if it documents none.
        refunds: the provider enabled refunds for our account (eSIM Go).
        answer_seconds: the longest time for one call.
    """

    api_key: str = field(default="", repr=False)
    public_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    sandbox: bool = False
    url: str | None = None
    webhook_senders: tuple[str, ...] = ()
    refunds: bool = False
    answer_seconds: float = 20.0


@dataclass(frozen=True, slots=True)
class ProviderEntry:
    """The module of a provider, the options that it requires, and whether it has a sandbox of its own."""

    module: str
    required: tuple[str, ...]
    has_sandbox: bool


PROVIDERS: Final[Mapping[str, ProviderEntry]] = {
    "vtpass": ProviderEntry(
        "kswifi.providers.data.vtpass", ("api_key", "public_key", "secret_key"), has_sandbox=True
    ),
    "esim_go": ProviderEntry("kswifi.providers.data.esim_go", ("api_key",), has_sandbox=False),
    "esim_access": ProviderEntry("kswifi.providers.data.esim_access", ("api_key",), has_sandbox=False),
}
"""The providers by their names."""


def missing_option(name: str, options: ProviderOptions) -> str | None:
    """Return the first option that is missing for the named provider; None if all are there.

    A provider without a sandbox of its own needs an address for one: that of a rehearsal.
    """
    entry = PROVIDERS[name]
    absent = next((option for option in entry.required if not getattr(options, option)), None)
    if absent is None and options.sandbox and not entry.has_sandbox and options.url is None:
        return "url"
    return absent


def open_provider(name: str, options: ProviderOptions, clock: Clock) -> DataProvider:
    """Return the named provider, ready for calls. Its module is imported on this call, which keeps the start quick.

    Raises:
        KeyError: there is no provider with this name.
        ValueError: an option is missing.
    """
    module = _module(name)
    absent = missing_option(name, options)
    if absent is not None:
        raise ValueError(f"{name} needs {absent}")
    provider: DataProvider = module.open_provider(options, clock)
    return provider


def capabilities_of(name: str) -> Capabilities:
    """Return what the named provider can do.

    Raises:
        KeyError: there is no provider with this name.
    """
    found: Capabilities = _module(name).CAPABILITIES
    return found


def unconfirmed_details(name: str) -> tuple[str, ...]:
    """Return the adapter's assumptions that only the provider itself can confirm.

    Raises:
        KeyError: there is no provider with this name.
    """
    details: tuple[str, ...] = _module(name).UNCONFIRMED
    return details


def _module(name: str) -> Any:
    return import_module(PROVIDERS[name].module)
