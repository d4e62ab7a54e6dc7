"""The key that the server and its rehearsal's data provider share."""

import re
import secrets

from kswifi.data_directory.layout import Installation


def read_rehearsal_key(installation: Installation) -> str:
    """Return the key that server and rehearsal provider share; the first process that needs it makes it."""
    return installation.read_or_make_text(
        installation.rehearsal_provider_key,
        lambda: secrets.token_hex(16),
        lambda text: re.fullmatch("[0-9a-f]{32}", text) is not None,
    )
