"""The AVPs that this code reads or writes, by the names of the standards; ``also_known`` has the rest."""

from typing import Any, Final

from kswifi.diameter.also_known import ALSO_KNOWN
from kswifi.diameter.avp import (
    Address,
    Avp,
    Enumerated,
    Grouped,
    Integer32,
    Integer64,
    OctetString,
    Time,
    Unsigned32,
    Unsigned64,
    Utf8String,
)
from kswifi.diameter.constants import (
    VENDOR_3GPP,
    CcFailureHandling,
    CcRequestType,
    CheckBalanceResult,
    DirectDebitingFailureHandling,
    DisconnectCause,
    FinalUnitAction,
    RedirectAddressType,
    ReportingReason,
    RequestedAction,
    SubscriptionIdType,
)

# RFC 6733, 4.5, and the RADIUS attributes that it reuses
USER_NAME: Final = Utf8String("User-Name", 1)
FILTER_ID: Final = Utf8String("Filter-Id", 11)
CALLED_STATION_ID: Final = Utf8String("Called-Station-Id", 30)
EVENT_TIMESTAMP: Final = Time("Event-Timestamp", 55)
HOST_IP_ADDRESS: Final = Address("Host-IP-Address", 257)
AUTH_APPLICATION_ID: Final = Unsigned32("Auth-Application-Id", 258)
ACCT_APPLICATION_ID: Final = Unsigned32("Acct-Application-Id", 259)
VENDOR_SPECIFIC_APPLICATION_ID: Final = Grouped("Vendor-Specific-Application-Id", 260)
SESSION_ID: Final = Utf8String("Session-Id", 263)
ORIGIN_HOST: Final = Utf8String("Origin-Host", 264)
SUPPORTED_VENDOR_ID: Final = Unsigned32("Supported-Vendor-Id", 265)
VENDOR_ID: Final = Unsigned32("Vendor-Id", 266)
FIRMWARE_REVISION: Final = Unsigned32("Firmware-Revision", 267, mandatory=False)
RESULT_CODE: Final = Unsigned32("Result-Code", 268)
PRODUCT_NAME: Final = Utf8String("Product-Name", 269, mandatory=False)
DISCONNECT_CAUSE: Final = Enumerated("Disconnect-Cause", 273, DisconnectCause)
AUTH_SESSION_STATE: Final = Unsigned32("Auth-Session-State", 277)
ORIGIN_STATE_ID: Final = Unsigned32("Origin-State-Id", 278)
FAILED_AVP: Final = Grouped("Failed-AVP", 279)
RE_AUTH_REQUEST_TYPE: Final = Unsigned32("Re-Auth-Request-Type", 285)
ERROR_MESSAGE: Final = Utf8String("Error-Message", 281, mandatory=False)
DESTINATION_REALM: Final = Utf8String("Destination-Realm", 283)
PROXY_INFO: Final = Grouped("Proxy-Info", 284)
DESTINATION_HOST: Final = Utf8String("Destination-Host", 293)
TERMINATION_CAUSE: Final = Unsigned32("Termination-Cause", 295)
ORIGIN_REALM: Final = Utf8String("Origin-Realm", 296)
EXPERIMENTAL_RESULT: Final = Grouped("Experimental-Result", 297)
EXPERIMENTAL_RESULT_CODE: Final = Unsigned32("Experimental-Result-Code", 298)
INBAND_SECURITY_ID: Final = Unsigned32("Inband-Security-Id", 299)

# RFC 8506, 8
CC_INPUT_OCTETS: Final = Unsigned64("CC-Input-Octets", 412)
CC_OUTPUT_OCTETS: Final = Unsigned64("CC-Output-Octets", 414)
CC_SERVICE_SPECIFIC_UNITS: Final = Unsigned64("CC-Service-Specific-Units", 417)
CC_MONEY: Final = Grouped("CC-Money", 413)
CC_REQUEST_NUMBER: Final = Unsigned32("CC-Request-Number", 415)
CC_REQUEST_TYPE: Final = Enumerated("CC-Request-Type", 416, CcRequestType)
CC_TIME: Final = Unsigned32("CC-Time", 420)
CC_TOTAL_OCTETS: Final = Unsigned64("CC-Total-Octets", 421)
CHECK_BALANCE_RESULT: Final = Enumerated("Check-Balance-Result", 422, CheckBalanceResult)
COST_INFORMATION: Final = Grouped("Cost-Information", 423)
CURRENCY_CODE: Final = Unsigned32("Currency-Code", 425)
CC_FAILURE_HANDLING: Final = Enumerated("Credit-Control-Failure-Handling", 427, CcFailureHandling)
DIRECT_DEBITING_FAILURE_HANDLING: Final = Enumerated(
    "Direct-Debiting-Failure-Handling", 428, DirectDebitingFailureHandling
)
EXPONENT: Final = Integer32("Exponent", 429)
FINAL_UNIT_INDICATION: Final = Grouped("Final-Unit-Indication", 430)
GRANTED_SERVICE_UNIT: Final = Grouped("Granted-Service-Unit", 431)
RATING_GROUP: Final = Unsigned32("Rating-Group", 432)
REDIRECT_ADDRESS_TYPE: Final = Enumerated("Redirect-Address-Type", 433, RedirectAddressType)
REDIRECT_SERVER: Final = Grouped("Redirect-Server", 434)
REDIRECT_SERVER_ADDRESS: Final = Utf8String("Redirect-Server-Address", 435)
REQUESTED_ACTION: Final = Enumerated("Requested-Action", 436, RequestedAction)
REQUESTED_SERVICE_UNIT: Final = Grouped("Requested-Service-Unit", 437)
RESTRICTION_FILTER_RULE: Final = Utf8String("Restriction-Filter-Rule", 438)
SERVICE_IDENTIFIER: Final = Unsigned32("Service-Identifier", 439)
SUBSCRIPTION_ID: Final = Grouped("Subscription-Id", 443)
SUBSCRIPTION_ID_DATA: Final = Utf8String("Subscription-Id-Data", 444)
UNIT_VALUE: Final = Grouped("Unit-Value", 445)
USED_SERVICE_UNIT: Final = Grouped("Used-Service-Unit", 446)
VALUE_DIGITS: Final = Integer64("Value-Digits", 447)
VALIDITY_TIME: Final = Unsigned32("Validity-Time", 448)
FINAL_UNIT_ACTION: Final = Enumerated("Final-Unit-Action", 449, FinalUnitAction)
SUBSCRIPTION_ID_TYPE: Final = Enumerated("Subscription-Id-Type", 450, SubscriptionIdType)
MULTIPLE_SERVICES_INDICATOR: Final = Unsigned32("Multiple-Services-Indicator", 455)
MULTIPLE_SERVICES_CREDIT_CONTROL: Final = Grouped("Multiple-Services-Credit-Control", 456)
SERVICE_CONTEXT_ID: Final = Utf8String("Service-Context-Id", 461)

# TS 29.061, 16.4.7 (the first ones) and TS 32.299, 7.2
TGPP_CHARGING_ID: Final = OctetString("3GPP-Charging-Id", 2, VENDOR_3GPP)
TGPP_SGSN_MCC_MNC: Final = Utf8String("3GPP-SGSN-MCC-MNC", 18, VENDOR_3GPP)
TGPP_RAT_TYPE: Final = OctetString("3GPP-RAT-Type", 21, VENDOR_3GPP)
TGPP_USER_LOCATION_INFO: Final = OctetString("3GPP-User-Location-Info", 22, VENDOR_3GPP)
GGSN_ADDRESS: Final = Address("GGSN-Address", 847, VENDOR_3GPP)
TIME_QUOTA_THRESHOLD: Final = Unsigned32("Time-Quota-Threshold", 868, VENDOR_3GPP)
VOLUME_QUOTA_THRESHOLD: Final = Unsigned32("Volume-Quota-Threshold", 869, VENDOR_3GPP)
QUOTA_HOLDING_TIME: Final = Unsigned32("Quota-Holding-Time", 871, VENDOR_3GPP)
TGPP_REPORTING_REASON: Final = Enumerated("3GPP-Reporting-Reason", 872, ReportingReason, VENDOR_3GPP)
SERVICE_INFORMATION: Final = Grouped("Service-Information", 873, VENDOR_3GPP)
PS_INFORMATION: Final = Grouped("PS-Information", 874, VENDOR_3GPP)
PDP_ADDRESS: Final = Address("PDP-Address", 1227, VENDOR_3GPP)
SGSN_ADDRESS: Final = Address("SGSN-Address", 1228, VENDOR_3GPP)
PDP_ADDRESS_PREFIX_LENGTH: Final = Unsigned32("PDP-Address-Prefix-Length", 2606, VENDOR_3GPP)

# TS 29.272, 7.3
VISITED_PLMN_ID: Final = OctetString("Visited-PLMN-Id", 1407, VENDOR_3GPP)
REQUESTED_EUTRAN_AUTHENTICATION_INFO: Final = Grouped("Requested-EUTRAN-Authentication-Info", 1408, VENDOR_3GPP)
NUMBER_OF_REQUESTED_VECTORS: Final = Unsigned32("Number-Of-Requested-Vectors", 1410, VENDOR_3GPP)
RE_SYNCHRONIZATION_INFO: Final = OctetString("Re-Synchronization-Info", 1411, VENDOR_3GPP)
IMMEDIATE_RESPONSE_PREFERRED: Final = Unsigned32("Immediate-Response-Preferred", 1412, VENDOR_3GPP)
AUTHENTICATION_INFO: Final = Grouped("Authentication-Info", 1413, VENDOR_3GPP)
E_UTRAN_VECTOR: Final = Grouped("E-UTRAN-Vector", 1414, VENDOR_3GPP)
RAND: Final = OctetString("RAND", 1447, VENDOR_3GPP)
XRES: Final = OctetString("XRES", 1448, VENDOR_3GPP)
AUTN: Final = OctetString("AUTN", 1449, VENDOR_3GPP)
KASME: Final = OctetString("KASME", 1450, VENDOR_3GPP)

DICTIONARY: Final[dict[int, Avp[Any]]] = {
    **ALSO_KNOWN,
    **{avp.key: avp for avp in list(globals().values()) if isinstance(avp, Avp)},
}
"""All known AVPs, by ``avp_key``."""
