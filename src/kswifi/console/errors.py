"""Errors of the console."""

from kswifi.kernel.errors import Refusal

FORM_UNREADABLE = Refusal("form_unreadable", "A form cannot be read, or has too many fields.", status=400)
FORM_WITHOUT_TOKEN = Refusal(
    "form_without_token", "A form lacks the CSRF token, or has that of another sign-in.", status=403
)
NO_SUCH_PAGE = Refusal("no_such_page", "The console has no page at this path.", status=404)
EXPORT_INVALID = Refusal("export_invalid", "Days or format of an export cannot be used.", status=422)
