"""The errors of gifts, shares, moves, standing orders, statements and limits of lines."""

from kswifi.kernel.errors import Refusal

ILLEGAL_GIFT_TRANSITION = Refusal(
    "illegal_gift_transition", "The table of states does not list this event for this state.", status=409
)
UNKNOWN_GIFT = Refusal("unknown_gift", "There is no gift with this code.", status=404)
GIFTS_OFF = Refusal("gifts_off", "The operator does not allow gifts.", status=403)
NOT_GIVABLE = Refusal(
    "not_givable",
    "This session cannot be given: not free, paid for by a venue or sponsor, itself a gift, or not on its card.",
    status=409,
)
GIFT_TOO_LARGE = Refusal("gift_too_large", "More octets than the session has available.", status=409)
GIFT_TOO_LATE = Refusal("gift_too_late", "The session ends in less than a day.", status=409)
GIVER_TOO_NEW = Refusal("giver_too_new", "The giver's account is not verified, or not old enough.", status=403)
TOO_MANY_GIFTS = Refusal("too_many_gifts", "As many gifts of the account are open as may be at once.", status=409)
GIFT_NOT_READY = Refusal("gift_not_ready", "The ledger has not confirmed the gift yet.", status=503)
GIFT_TAKEN = Refusal("gift_taken", "It was claimed already.", status=409)
GIFT_GONE = Refusal("gift_gone", "It was withdrawn, or was not claimed in time.", status=410)
GIFT_IS_YOURS = Refusal(
    "gift_is_yours", "The giver cannot claim the gift; withdrawing it gives it back.", status=409
)
RECEIVED_ENOUGH = Refusal(
    "received_enough", "The receiver has had as many octets, or givers, as the limits allow.", status=409
)
ILLEGAL_MOVE_TRANSITION = Refusal(
    "illegal_move_transition", "The table of a move's states does not list this event for its state.", status=409
)
UNKNOWN_MOVE = Refusal("unknown_move", "The user has no move with this id.", status=404)
MOVE_UNDER_WAY = Refusal("move_under_way", "The eSIM is being moved, or was moved already.", status=409)
LINE_NOT_MOVABLE = Refusal(
    "line_not_movable", "A data provider serves the line, so its octets cannot move to another one.", status=409
)
TOO_MANY_MOVES = Refusal("too_many_moves", "The account has moved as often as is allowed.", status=409)
MOVE_NOT_CONFIRMED = Refusal(
    "move_not_confirmed", "The recovery code is wrong, or the device was not signed in before the move.", status=403
)
ILLEGAL_STANDING_ORDER_TRANSITION = Refusal(
    "illegal_standing_order_transition",
    "The table of a standing order's states does not list this event for its state.",
    status=409,
)
UNKNOWN_STANDING_ORDER = Refusal("unknown_standing_order", "The user has no standing order.", status=404)
STANDING_ORDERS_OFF = Refusal("standing_orders_off", "The operator does not allow standing orders.", status=403)
STANDING_ORDER_NOT_OFFERED = Refusal(
    "standing_order_not_offered",
    "The offer has a price, or the next session is wanted earlier than the limits allow.",
    status=409,
)
STANDING_ORDER_NOT_DUE = Refusal(
    "standing_order_not_due", "The server has not declared this due date, or it is over.", status=409
)
STANDING_ORDER_NEEDS_TAP = Refusal(
    "standing_order_needs_tap",
    "A data provider serves the line: the person, and not the device alone, has to ask for the session.",
    status=409,
)
WIFI_NOT_CERTAIN = Refusal(
    "wifi_not_certain", "Neither the server nor the device knows that the device is on WiFi.", status=409
)
NO_STATEMENT = Refusal("no_statement", "The month has not begun, or its use is not kept any more.", status=404)
STATEMENT_TOO_LONG = Refusal("statement_too_long", "The month has more hours of use than a file holds.", status=409)
LIMIT_NOT_OFFERED = Refusal(
    "limit_not_offered",
    "The line or its network cannot stop and come back by itself, or the operator does not allow it.",
    status=409,
)
LIMIT_TOO_SMALL = Refusal("limit_too_small", "The operator allows no limit of a day as small.", status=409)
PAUSE_TOO_LONG = Refusal(
    "pause_too_long", "The pause would end in the past, or later than the operator allows.", status=409
)
