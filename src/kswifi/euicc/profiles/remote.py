"""The parts of a profile package other than files: security domain keys, remote file management, ARA-M rules.

A card without Java supports AES and triple DES keys of SCP80, remote file management with full access or
none, and the rules of an ARA-M applet, which the card implements itself. Any other mandatory applet is
refused by its name.
"""

from typing import Final

from kswifi.euicc.profiles.files import unsupported
from kswifi.euicc.state import DomainKey, RemoteManagement
from kswifi.rsp.access_rules import ARA_M_AID, stored_rule
from kswifi.rsp.saip import applications
from kswifi.rsp.saip.errors import ProfilePackageError
from kswifi.rsp.saip.package import ProfileElement
from kswifi.rsp.saip.response import PeStatus

_ELEMENTS_MAX: Final = 32


class RemoteParts:
    """Collect the parts from the elements of one package."""

    def __init__(self) -> None:
        self.keys: list[DomainKey] = []
        self.management: list[RemoteManagement] = []
        self.access_rules: list[bytes] = []

    def take_domain(self, element: ProfileElement) -> None:
        """Store a security domain's keys; those of the profile's first domain protect secured packets."""
        domain = applications.SecurityDomain.decode(element.value)
        if self.keys:
            return
        self.keys = [DomainKey(it.version, it.identifier, it.key_type, it.value) for it in domain.keys]
        if len({(key.version, key.identifier) for key in self.keys}) != len(self.keys):
            raise ProfilePackageError("a security domain has a key twice")

    def take_management(self, element: ProfileElement) -> None:
        """Store an application for remote file management."""
        asked = applications.RemoteFileManagement.decode(element.value)
        if len(self.management) >= _ELEMENTS_MAX:
            raise ProfilePackageError("a profile has too many applications for remote file management")
        self.management.append(
            RemoteManagement(
                tars=list(asked.tars),
                minimum_security_level=asked.minimum_security_level,
                adf_aid=asked.adf_aid or b"",
                reaches_adf=asked.adf_access == applications.FULL_ACCESS,
                reaches_shared=asked.shared_access == applications.FULL_ACCESS,
            )
        )

    def take_application(self, element: ProfileElement) -> None:
        """Store the rules of an ARA-M; any other applet is refused if it is mandatory."""
        instances = applications.read_instances(element.value)
        if not instances or any(instance.aid != ARA_M_AID for instance in instances):
            if element.header is not None and element.header.mandated:
                raise unsupported(
                    "the mandated profile element application: it has no applets but an ARA-M",
                    PeStatus.PE_NOT_SUPPORTED,
                )
            return
        for instance in instances:
            rules = (stored_rule(command) for command in instance.process_data)
            self.access_rules += [rule for rule in rules if rule is not None]
