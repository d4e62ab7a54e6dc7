"""Profile policy rules: operations that a profile forbids, and which profiles may have them (SGP.22, 2.9)."""

from collections.abc import Iterable
from typing import Final

from kswifi.euicc.state import Profile
from kswifi.rsp import tlv
from kswifi.rsp.fields import SEQUENCE, encode_bits
from kswifi.rsp.messages.metadata import PolicyRule, ProfileClass, ProfileMetadata, ProfileOwner

TAG_GET_RAT: Final = 0xBF43
_AUTHORISED: Final = (PolicyRule.DISABLING_NOT_ALLOWED, PolicyRule.DELETION_NOT_ALLOWED)
_ANY_OPERATOR: Final = ProfileOwner(b"\xee\xee\xee")
_CONSENT_REQUIRED: Final = 0


def rules_authorisation_table() -> bytes:
    """Return the rules authorisation table: any operator may set each rule if the end user consents (2.9.2.1)."""
    rule = tlv.encode(
        SEQUENCE,
        encode_bits(0x80, _AUTHORISED),
        tlv.encode(0xA1, _ANY_OPERATOR.encode(SEQUENCE)),
        encode_bits(0x82, [_CONSENT_REQUIRED]),
    )
    return tlv.encode(TAG_GET_RAT, tlv.encode(0xA0, rule))


def may_be_installed(metadata: ProfileMetadata, installed: Iterable[Profile]) -> bool:
    """Tell whether the table authorises a profile's rules (2.9.2.4).

    A profile that cannot be disabled is accepted only if the card has no other operational profile.
    """
    rules = metadata.policy_rules or frozenset()
    if not rules <= {PolicyRule.UPDATE_CONTROL, *_AUTHORISED}:
        return False
    if PolicyRule.DISABLING_NOT_ALLOWED not in rules:
        return True
    return not any(class_of(describe(profile)) == ProfileClass.OPERATIONAL for profile in installed)


def forbids(profile: Profile, rule: PolicyRule) -> bool:
    """Tell whether a rule is set for an installed profile."""
    return rule in (describe(profile).policy_rules or frozenset())


def describe(profile: Profile) -> ProfileMetadata:
    """Return the metadata of an installed profile."""
    return ProfileMetadata.decode(profile.metadata)


def class_of(metadata: ProfileMetadata) -> int:
    """Return the profile class; operational if absent (StoreMetadataRequest)."""
    return ProfileClass.OPERATIONAL if metadata.profile_class is None else metadata.profile_class
