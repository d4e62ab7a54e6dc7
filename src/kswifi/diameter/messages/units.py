"""The grouped AVPs of credit control: requested, used and granted units, and their context (RFC 8506, 8)."""

from typing import Self

import msgspec

from kswifi.diameter import dictionary as d
from kswifi.diameter.avp import Grouped
from kswifi.diameter.constants import FinalUnitAction, RedirectAddressType, ReportingReason, SubscriptionIdType
from kswifi.diameter.reader import AvpSet, read_avps


class SubscriptionId(msgspec.Struct, frozen=True, gc=False):
    """The identity of the subscriber: a number and its type (RFC 8506, 8.46)."""

    type: SubscriptionIdType
    data: str

    def encode(self) -> bytes:
        """Encode the AVP."""
        return d.SUBSCRIPTION_ID.group(
            d.SUBSCRIPTION_ID_TYPE.encode(self.type), d.SUBSCRIPTION_ID_DATA.encode(self.data)
        )

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Decode the value of the AVP; raises DiameterError."""
        avps = read_avps(octets)
        return cls(avps.need(d.SUBSCRIPTION_ID_TYPE), avps.need(d.SUBSCRIPTION_ID_DATA))


class ServiceUnit(msgspec.Struct, frozen=True, gc=False):
    """An amount that is requested, used or granted; None means that the AVP is absent (RFC 8506, 8.17 to 8.19).

    ``reporting_reason`` is only used in a Used-Service-Unit. Some cores put it into the surrounding group instead.
    """

    cc_total_octets: int | None = None
    cc_input_octets: int | None = None
    cc_output_octets: int | None = None
    cc_time: int | None = None
    reporting_reason: ReportingReason | None = None
    cc_service_specific_units: int | None = None
    cc_money: bytes | None = None
    """The content of CC-Money; it is not decoded."""

    @property
    def is_not_of_packets(self) -> bool:
        """Whether it has service-specific units or money, and neither octets nor seconds."""
        other = self.cc_service_specific_units is not None or self.cc_money is not None
        return other and self.octets is None and self.cc_time is None

    @property
    def octets(self) -> int | None:
        """CC-Total-Octets, or else the sum of input and output octets; None if all three are absent."""
        if self.cc_total_octets is not None:
            return self.cc_total_octets
        if self.cc_input_octets is None and self.cc_output_octets is None:
            return None
        return (self.cc_input_octets or 0) + (self.cc_output_octets or 0)

    def encode(self, avp: Grouped) -> bytes:
        """Encode the amount as the given AVP: requested, used or granted."""
        parts = b""
        if self.reporting_reason is not None:
            parts = d.TGPP_REPORTING_REASON.encode(self.reporting_reason)
        if self.cc_time is not None:
            parts += d.CC_TIME.encode(self.cc_time)
        if self.cc_total_octets is not None:
            parts += d.CC_TOTAL_OCTETS.encode(self.cc_total_octets)
        if self.cc_input_octets is not None:
            parts += d.CC_INPUT_OCTETS.encode(self.cc_input_octets)
        if self.cc_output_octets is not None:
            parts += d.CC_OUTPUT_OCTETS.encode(self.cc_output_octets)
        if self.cc_service_specific_units is not None:
            parts += d.CC_SERVICE_SPECIFIC_UNITS.encode(self.cc_service_specific_units)
        if self.cc_money is not None:
            parts += d.CC_MONEY.encode(self.cc_money)
        return avp.wrap(parts)

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Decode the value of the AVP; raises DiameterError."""
        avps = read_avps(octets)
        return cls(
            cc_total_octets=avps.get(d.CC_TOTAL_OCTETS),
            cc_input_octets=avps.get(d.CC_INPUT_OCTETS),
            cc_output_octets=avps.get(d.CC_OUTPUT_OCTETS),
            cc_time=avps.get(d.CC_TIME),
            reporting_reason=avps.get(d.TGPP_REPORTING_REASON),
            cc_service_specific_units=avps.get(d.CC_SERVICE_SPECIFIC_UNITS),
            cc_money=avps.get(d.CC_MONEY),
        )


class FinalUnitIndication(msgspec.Struct, frozen=True, gc=False):
    """What the client does after the last grant (RFC 8506, 8.34)."""

    action: FinalUnitAction
    redirect_url: str | None = None
    """The target of REDIRECT (RFC 8506, 8.37)."""
    restriction_filter_rules: tuple[str, ...] = ()
    filter_ids: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """Encode the AVP."""
        return d.FINAL_UNIT_INDICATION.group(
            d.FINAL_UNIT_ACTION.encode(self.action),
            *(() if self.redirect_url is None else (_redirect_server(self.redirect_url),)),
            *map(d.RESTRICTION_FILTER_RULE.encode, self.restriction_filter_rules),
            *map(d.FILTER_ID.encode, self.filter_ids),
        )

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Decode the value of the AVP; raises DiameterError."""
        avps = read_avps(octets)
        return cls(
            action=avps.need(d.FINAL_UNIT_ACTION),
            redirect_url=_redirect_url(avps.get(d.REDIRECT_SERVER)),
            restriction_filter_rules=avps.every(d.RESTRICTION_FILTER_RULE),
            filter_ids=avps.every(d.FILTER_ID),
        )


def _redirect_server(url: str) -> bytes:
    return d.REDIRECT_SERVER.group(
        d.REDIRECT_ADDRESS_TYPE.encode(RedirectAddressType.URL), d.REDIRECT_SERVER_ADDRESS.encode(url)
    )


def _redirect_url(redirect_server: bytes | None) -> str | None:
    return None if redirect_server is None else read_avps(redirect_server).need(d.REDIRECT_SERVER_ADDRESS)


class ServiceCreditControl(msgspec.Struct, frozen=True, gc=False):
    """One Multiple-Services-Credit-Control of a request or an answer (RFC 8506, 8.16).

    Open5GS sends one without Rating-Group and Service-Identifier; other clients send several.
    """

    rating_group: int | None = None
    service_identifiers: tuple[int, ...] = ()
    requested: ServiceUnit | None = None
    used: tuple[ServiceUnit, ...] = ()
    granted: ServiceUnit | None = None
    reporting_reason: ReportingReason | None = None
    validity_seconds: int | None = None
    final_unit: FinalUnitIndication | None = None
    result_code: int | None = None
    quota_holding_seconds: int | None = None
    """How long an idle grant is kept before it is reported back (TS 32.299, 7.2.138)."""
    threshold_octets: int | None = None
    """Volume-Quota-Threshold: the rest of the grant at which to ask anew (TS 32.299, 7.2.237)."""

    @property
    def used_octets(self) -> int:
        """The octets of all its Used-Service-Units: a tariff change splits them in two (RFC 8506, 8.27)."""
        return sum(unit.octets or 0 for unit in self.used)

    @property
    def is_final_report(self) -> bool:
        """Whether it reports FINAL, in the group or in a Used-Service-Unit (TS 32.299, 7.2.175)."""
        return self.reporting_reason is ReportingReason.FINAL or any(
            unit.reporting_reason is ReportingReason.FINAL for unit in self.used
        )

    def encode(self) -> bytes:
        """Encode the AVP."""
        return d.MULTIPLE_SERVICES_CREDIT_CONTROL.wrap(self.encode_content())

    def encode_content(self) -> bytes:
        """Encode the AVPs of the group, concatenated.

        A client without Multiple-Services-Credit-Control has them in the message itself.
        """
        parts: list[bytes] = []
        if self.granted is not None:
            parts.append(self.granted.encode(d.GRANTED_SERVICE_UNIT))
        if self.requested is not None:
            parts.append(self.requested.encode(d.REQUESTED_SERVICE_UNIT))
        parts += [unit.encode(d.USED_SERVICE_UNIT) for unit in self.used]
        parts += map(d.SERVICE_IDENTIFIER.encode, self.service_identifiers)
        if self.rating_group is not None:
            parts.append(d.RATING_GROUP.encode(self.rating_group))
        if self.reporting_reason is not None:
            parts.append(d.TGPP_REPORTING_REASON.encode(self.reporting_reason))
        if self.validity_seconds is not None:
            parts.append(d.VALIDITY_TIME.encode(self.validity_seconds))
        if self.result_code is not None:
            parts.append(d.RESULT_CODE.encode(self.result_code))
        if self.final_unit is not None:
            parts.append(self.final_unit.encode())
        if self.threshold_octets is not None:
            parts.append(d.VOLUME_QUOTA_THRESHOLD.encode(self.threshold_octets))
        if self.quota_holding_seconds is not None:
            parts.append(d.QUOTA_HOLDING_TIME.encode(self.quota_holding_seconds))
        return b"".join(parts)

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Decode the value of the AVP; raises DiameterError."""
        avps = read_avps(octets)
        return cls.read(avps, result_code=avps.get(d.RESULT_CODE))

    @classmethod
    def read(cls, avps: AvpSet, result_code: int | None = None) -> Self:
        """Read the group from AVPs.

        ``result_code`` is the group's own; do not pass the Result-Code of the message.
        """
        requested = avps.get(d.REQUESTED_SERVICE_UNIT)
        granted = avps.get(d.GRANTED_SERVICE_UNIT)
        final_unit = avps.get(d.FINAL_UNIT_INDICATION)
        return cls(
            rating_group=avps.get(d.RATING_GROUP),
            service_identifiers=avps.every(d.SERVICE_IDENTIFIER),
            requested=None if requested is None else ServiceUnit.decode(requested),
            used=tuple(map(ServiceUnit.decode, avps.every(d.USED_SERVICE_UNIT))),
            granted=None if granted is None else ServiceUnit.decode(granted),
            reporting_reason=avps.get(d.TGPP_REPORTING_REASON),
            validity_seconds=avps.get(d.VALIDITY_TIME),
            final_unit=None if final_unit is None else FinalUnitIndication.decode(final_unit),
            result_code=result_code,
            quota_holding_seconds=avps.get(d.QUOTA_HOLDING_TIME),
            threshold_octets=avps.get(d.VOLUME_QUOTA_THRESHOLD),
        )


class PsInformation(msgspec.Struct, frozen=True, gc=False):
    """The facts about a bearer that a packet core reports (TS 32.299, 7.2.158): the AVPs used here."""

    charging_id: int | None = None
    pdp_addresses: tuple[str, ...] = ()
    sgsn_addresses: tuple[str, ...] = ()
    ggsn_addresses: tuple[str, ...] = ()
    called_station_id: str | None = None
    sgsn_mcc_mnc: str | None = None
    user_location_info: bytes | None = None
    rat_type: int | None = None
    pdp_prefix_length: int | None = None
    """Bits of the IPv6 prefix (TS 32.299, 7.2.137A)."""

    def encode(self) -> bytes:
        """Encode Service-Information with PS-Information inside."""
        parts: list[bytes] = []
        if self.charging_id is not None:
            parts.append(d.TGPP_CHARGING_ID.encode(self.charging_id.to_bytes(4, "big")))
        parts += map(d.PDP_ADDRESS.encode, self.pdp_addresses)
        if self.pdp_prefix_length is not None:
            parts.append(d.PDP_ADDRESS_PREFIX_LENGTH.encode(self.pdp_prefix_length))
        parts += map(d.SGSN_ADDRESS.encode, self.sgsn_addresses)
        parts += map(d.GGSN_ADDRESS.encode, self.ggsn_addresses)
        if self.called_station_id is not None:
            parts.append(d.CALLED_STATION_ID.encode(self.called_station_id))
        if self.sgsn_mcc_mnc is not None:
            parts.append(d.TGPP_SGSN_MCC_MNC.encode(self.sgsn_mcc_mnc))
        if self.user_location_info is not None:
            parts.append(d.TGPP_USER_LOCATION_INFO.encode(self.user_location_info))
        if self.rat_type is not None:
            parts.append(d.TGPP_RAT_TYPE.encode(bytes([self.rat_type])))
        return d.SERVICE_INFORMATION.group(d.PS_INFORMATION.group(*parts))

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Decode the value of PS-Information; raises DiameterError."""
        avps = read_avps(octets)
        charging_id = avps.get(d.TGPP_CHARGING_ID)
        rat_type = avps.get(d.TGPP_RAT_TYPE)
        if charging_id is not None and len(charging_id) != 4:
            raise d.TGPP_CHARGING_ID.invalid_length(charging_id)
        if rat_type is not None and len(rat_type) != 1:
            raise d.TGPP_RAT_TYPE.invalid_length(rat_type)
        return cls(
            charging_id=None if charging_id is None else int.from_bytes(charging_id, "big"),
            pdp_addresses=avps.every(d.PDP_ADDRESS),
            sgsn_addresses=avps.every(d.SGSN_ADDRESS),
            ggsn_addresses=avps.every(d.GGSN_ADDRESS),
            called_station_id=avps.get(d.CALLED_STATION_ID),
            sgsn_mcc_mnc=avps.get(d.TGPP_SGSN_MCC_MNC),
            user_location_info=avps.get(d.TGPP_USER_LOCATION_INFO),
            rat_type=None if rat_type is None else rat_type[0],
            pdp_prefix_length=avps.get(d.PDP_ADDRESS_PREFIX_LENGTH),
        )
