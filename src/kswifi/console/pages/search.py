"""Search: a phone number, e-mail, ICCID, IMSI, payment reference, voucher or id leads to the customer."""

from typing import Final

from starlette.responses import Response

from kswifi.console.visit import Page, Visit
from kswifi.desk.customers import find_customers


async def _search(visit: Visit) -> Response:
    word = visit.query("word")
    codes = visit.services.codes
    found = [] if not word else await visit.read(lambda connection: find_customers(connection, word, codes))
    if len(found) == 1:
        return visit.to(f"/customers/{found[0].user_id}")
    return visit.page("search.html", word=word, found=found)


PAGES: Final = (Page("GET", "/search", _search),)
