"""AVPs that a packet core may send and that this code does not use: code, type and name.

An unknown AVP with the M bit has to be refused with 5001 (RFC 6733, 4.1), so they must be in the dictionary for
feature-rich clients to be served. From RFC 6733, 4.5; RFC 7155, 4; RFC 7683, 7; RFC 8506, 8; TS 29.061, 16.4.7;
TS 29.212, 5.3; TS 29.272, 7.3; TS 32.299, 7.2.
"""

from typing import Any, Final

from kswifi.diameter.avp import (
    Address,
    Avp,
    Grouped,
    Integer32,
    Integer64,
    OctetString,
    Time,
    Unsigned32,
    Unsigned64,
    Utf8String,
)
from kswifi.diameter.constants import VENDOR_3GPP

_TYPES: Final[dict[str, type[Avp[Any]]]] = {
    "A": Address,
    "D": Time,
    "G": Grouped,
    "I": Integer32,
    "J": Integer64,
    "L": Unsigned64,
    "O": OctetString,
    "T": Utf8String,
    "U": Unsigned32,
}

_BASE: Final = """
4 O NAS-IP-Address, 5 U NAS-Port, 6 I Service-Type, 7 I Framed-Protocol, 8 O Framed-IP-Address,
9 O Framed-IP-Netmask, 25 O Class, 27 U Session-Timeout, 28 U Idle-Timeout, 31 T Calling-Station-Id,
32 T NAS-Identifier, 33 O Proxy-State, 44 O Acct-Session-Id, 50 T Accounting-Multi-Session-Id,
61 I NAS-Port-Type, 85 U Acct-Interim-Interval, 95 O NAS-IPv6-Address, 96 L Framed-Interface-Id,
97 O Framed-IPv6-Prefix, 261 I Redirect-Host-Usage, 262 U Redirect-Max-Cache-Time, 270 I Session-Binding,
271 I Session-Server-Failover, 272 U Multi-Round-Time-Out, 274 I Auth-Request-Type, 275 O Alternate-Peer,
276 U Auth-Grace-Period, 280 O Proxy-Host, 282 O Route-Record, 285 I Re-Auth-Request-Type,
287 L Accounting-Sub-Session-Id, 291 I Authorization-Lifetime, 292 T Redirect-Host,
294 O Error-Reporting-Host, 411 O CC-Correlation-Id,
418 I CC-Session-Failover, 419 L CC-Sub-Session-Id, 422 I Check-Balance-Result, 423 G Cost-Information,
424 T Cost-Unit, 425 U Currency-Code, 426 I Credit-Control, 427 I Credit-Control-Failure-Handling,
428 I Direct-Debiting-Failure-Handling, 429 I Exponent, 433 I Redirect-Address-Type, 434 G Redirect-Server,
435 T Redirect-Server-Address, 440 G Service-Parameter-Info, 441 U Service-Parameter-Type,
442 O Service-Parameter-Value, 445 G Unit-Value, 447 J Value-Digits, 451 D Tariff-Time-Change,
452 I Tariff-Change-Usage, 453 U G-S-U-Pool-Identifier, 454 I CC-Unit-Type, 457 G G-S-U-Pool-Reference,
458 G User-Equipment-Info, 459 I User-Equipment-Info-Type, 460 O User-Equipment-Info-Value,
480 I Accounting-Record-Type, 483 I Accounting-Realtime-Required, 485 U Accounting-Record-Number,
493 T Service-Selection, 621 G OC-Supported-Features, 622 L OC-Feature-Vector, 623 G OC-OLR,
624 L OC-Sequence-Number, 625 U OC-Validity-Duration, 626 I OC-Report-Type, 650 G Load, 651 I Load-Type,
652 L Load-Value, 653 G User-Equipment-Info-Extension, 654 O User-Equipment-Info-IMEISV,
655 O User-Equipment-Info-MAC, 656 O User-Equipment-Info-EUI64, 657 O User-Equipment-Info-ModifiedEUI64,
658 O User-Equipment-Info-IMEI
"""

_3GPP: Final = """
1 T 3GPP-IMSI, 3 I 3GPP-PDP-Type, 4 O 3GPP-CG-Address, 5 T 3GPP-GPRS-Negotiated-QoS-Profile,
6 O 3GPP-SGSN-Address, 7 O 3GPP-GGSN-Address, 8 T 3GPP-IMSI-MCC-MNC, 9 T 3GPP-GGSN-MCC-MNC,
10 O 3GPP-NSAPI, 11 T 3GPP-Session-Stop-Indicator, 12 T 3GPP-Selection-Mode,
13 T 3GPP-Charging-Characteristics, 14 O 3GPP-CG-IPv6-Address, 15 O 3GPP-SGSN-IPv6-Address,
16 O 3GPP-GGSN-IPv6-Address, 17 O 3GPP-IPv6-DNS-Server, 19 O 3GPP-Teardown-Indicator, 20 O 3GPP-IMEISV,
23 O 3GPP-MS-TimeZone, 24 O 3GPP-CAMEL-Charging-Info, 25 O 3GPP-Packet-Filter, 26 O 3GPP-Negotiated-DSCP,
27 O 3GPP-Allocate-IP-Type, 29 O 3GPP-TWAN-Identifier, 30 O 3GPP-User-Location-Info-Time,
628 G Supported-Features, 629 U Feature-List-ID, 630 U Feature-List, 846 A CG-Address,
848 A Served-Party-IP-Address, 849 T Authorised-QoS, 854 O Bearer-Service, 855 T Service-Id,
856 T Associated-URI, 862 I Node-Functionality, 863 T Service-Specific-Data, 864 I Originator,
865 G PS-Furnish-Charging-Information, 866 O PS-Free-Format-Data, 867 I PS-Append-Free-Format-Data,
868 U Time-Quota-Threshold, 869 U Volume-Quota-Threshold, 870 I Trigger-Type, 871 U Quota-Holding-Time,
881 U Quota-Consumption-Time, 1004 T Charging-Rule-Base-Name, 1005 O Charging-Rule-Name, 1009 I Online,
1016 G QoS-Information, 1020 O Bearer-Identifier, 1021 I Bearer-Operation,
1022 G Access-Network-Charging-Identifier-Gx, 1025 U Guaranteed-Bitrate-DL, 1026 U Guaranteed-Bitrate-UL,
1028 I QoS-Class-Identifier, 1032 I RAT-Type, 1034 G Allocation-Retention-Priority,
1040 U APN-Aggregate-Max-Bitrate-DL, 1041 U APN-Aggregate-Max-Bitrate-UL, 1046 U Priority-Level,
1047 I Pre-emption-Capability, 1048 I Pre-emption-Vulnerability, 1050 A AN-GW-Address,
1065 O PDN-Connection-ID, 1066 O Monitoring-Key, 1099 I PS-to-CS-Session-Continuity,
1226 U Unit-Quota-Threshold, 1247 I PDP-Context-Type, 1249 G Service-Specific-Info,
1256 G Service-Generic-Information, 1257 U Service-Specific-Type, 1258 D Event-Charging-TimeStamp,
1264 G Trigger, 1265 U Base-Time-Interval, 1266 G Envelope, 1267 D Envelope-End-Time,
1268 I Envelope-Reporting, 1269 D Envelope-Start-Time, 1270 G Time-Quota-Mechanism, 1271 I Time-Quota-Type,
1276 G AF-Correlation-Information, 1278 G Offline-Charging, 1400 G Subscription-Data,
1401 G Terminal-Information, 1402 T IMEI, 1403 T Software-Version, 1404 O QoS-Subscribed, 1405 U ULR-Flags,
1406 U ULA-Flags, 1409 G Requested-UTRAN-GERAN-Authentication-Info, 1415 G UTRAN-Vector, 1416 G GERAN-Vector,
1417 I Network-Access-Mode, 1418 U HPLMN-ODB, 1419 U Item-Number, 1453 O Kc, 1454 O SRES,
2020 I Low-Balance-Indication, 2021 G Remaining-Balance, 2022 O Refund-Information,
2037 I Change-Condition, 2038 D Change-Time, 2039 I Diagnostics, 2040 G Service-Data-Container,
2041 D Start-Time, 2042 D Stop-Time, 2043 D Time-First-Usage, 2044 D Time-Last-Usage, 2045 U Time-Usage,
2046 G Traffic-Data-Volumes, 2047 I Serving-Node-Type, 2050 U PDN-Connection-Charging-ID,
2051 I Dynamic-Address-Flag, 2052 G Accumulated-Cost, 2053 G AoC-Cost-Information, 2054 G AoC-Information,
2055 I AoC-Request-Type, 2056 G Current-Tariff, 2057 G Next-Tariff, 2058 G Rate-Element,
2059 G Scale-Factor, 2060 G Tariff-Information, 2061 G Unit-Cost, 2062 G Incremental-Cost,
2063 U Local-Sequence-Number, 2064 T Node-Id, 2065 I SGW-Change,
2066 I Charging-Characteristics-Selection-Mode, 2067 A SGW-Address, 2068 I Dynamic-Address-Flag-Extension,
2305 G Real-Time-Tariff-Information, 2306 T Tariff-XML, 2308 I IMSI-Unauthenticated-Flag,
2309 D Account-Expiration, 2310 I AoC-Format, 2311 G AoC-Service, 2312 I AoC-Service-Obligatory-Type,
2313 I AoC-Service-Type, 2314 G AoC-Subscription-Information, 2315 U Preferred-AoC-Currency,
2317 I CSG-Access-Mode, 2318 I CSG-Membership-Indication, 2319 G User-CSG-Information,
2602 I Low-Priority-Indicator, 2713 T IMS-Visited-Network-Identifier,
2714 G TWAN-User-Location-Info, 2716 T BSSID, 2717 I TAD-Identifier
"""


def _parse(table: str, vendor_id: int) -> dict[int, Avp[Any]]:
    found: dict[int, Avp[Any]] = {}
    for entry in table.replace("\n", " ").split(","):
        code, type_letter, name = entry.split()
        avp = _TYPES[type_letter](name, int(code), vendor_id)
        found[avp.key] = avp
    return found


ALSO_KNOWN: Final[dict[int, Avp[Any]]] = _parse(_BASE, 0) | _parse(_3GPP, VENDOR_3GPP)
"""The AVPs of the tables, by ``avp_key``."""
