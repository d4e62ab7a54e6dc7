"""The errors of the desk."""

from kswifi.kernel.errors import Refusal

NO_SUCH_CUSTOMER = Refusal("no_such_customer", "There is no account with this id.", status=404)
REASON_MISSING = Refusal("reason_missing", "An action needs a reason, which the audit trail keeps.", status=422)
ROLE_MAY_NOT = Refusal("role_may_not", "The role of this member of staff does not allow the action.", status=403)
NOT_STUCK = Refusal("not_stuck", "There is no stuck job with this key.", status=404)
NOTHING_TO_LOOK_UP = Refusal("nothing_to_look_up", "The payment's gateway is not the one in use.", status=409)
GOODWILL_INVALID = Refusal("goodwill_invalid", "Goodwill is one free, capped offer of the catalogue.", status=422)
UNKNOWN_GOODWILL = Refusal("unknown_goodwill", "There is no such request for goodwill.", status=404)
GOODWILL_DECIDED = Refusal("goodwill_decided", "The request for goodwill was decided before.", status=409)
SECOND_PERSON_NEEDED = Refusal(
    "second_person_needed", "The person who asked for goodwill cannot approve it.", status=409
)
UNKNOWN_STAFF = Refusal("unknown_staff", "There is no member of staff of this name.", status=404)
STAFF_EXISTS = Refusal("staff_exists", "A member of staff has this name.", status=409)
STAFF_NAME_INVALID = Refusal("staff_name_invalid", "The name or the role of staff is not allowed.", status=422)
LAST_FOUNDER = Refusal("last_founder", "The last founder cannot lose the role or be disabled.", status=409)
ENROLMENT_OVER = Refusal("enrolment_over", "The one-time link was used, has expired, or is not ours.", status=410)
NOT_SIGNED_IN_STAFF = Refusal("staff_not_signed_in", "Nobody is signed in at the console.", status=401)
UNKNOWN_INCIDENT = Refusal("unknown_incident", "There is no such incident.", status=404)
CALLER_CODE_WRONG = Refusal("caller_code_wrong", "The caller's code is wrong, used or expired.", status=422)
CALLER_NOT_CHECKED = Refusal("caller_not_checked", "The caller was not checked in the last minutes.", status=403)
UNKNOWN_HOLD = Refusal("unknown_hold", "There is no such hold.", status=404)
HOLD_DECIDED = Refusal("hold_decided", "The hold was decided before.", status=409)
UNKNOWN_CLUSTER = Refusal("unknown_cluster", "The account shares no mark with enough others.", status=404)
UNKNOWN_ACTION = Refusal("unknown_action", "There is no such action on many accounts.", status=404)
ACTION_UNDONE = Refusal("action_undone", "The action on many accounts was undone before.", status=409)
TOO_MANY_ACCOUNTS = Refusal("too_many_accounts", "One action takes fewer accounts.", status=422)
NOTHING_TO_SEND_BACK = Refusal("nothing_to_send_back", "Nothing is to be sent back by hand.", status=409)
UNKNOWN_REPORT_VENUE = Refusal("unknown_report_venue", "No vouchers were made for this venue.", status=404)
REPORT_LINK_INVALID = Refusal("report_link_invalid", "A report's link is not signed, or has expired.", status=404)
