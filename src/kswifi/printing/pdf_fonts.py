"""The fonts of printed pages: PDF's own fonts write Western European letters alone, and Nigerian names need more.

The files are the Latin letters of DejaVu Sans 2.37 (``fonts/DejaVu.LICENSE``), cut out by fontTools' pyftsubset.
"""

import unicodedata
from functools import cache
from pathlib import Path
from typing import Final

REGULAR: Final = "DejaVuSans"
BOLD: Final = "DejaVuSans-Bold"
_FOLDER: Final = Path(__file__).parent / "fonts"


@cache
def register_pdf_fonts() -> frozenset[int]:
    """Make both fonts known to reportlab; return the code points that both can write. Again is no error."""
    # reportlab takes longer to import than most commands take to run.
    from reportlab.pdfbase.pdfmetrics import registerFont  # noqa: PLC0415 - lazily, as said
    from reportlab.pdfbase.ttfonts import TTFont  # noqa: PLC0415

    fonts = [TTFont(name, str(_FOLDER / f"{name}.ttf")) for name in (REGULAR, BOLD)]
    for font in fonts:
        registerFont(font)
    known = [frozenset(font.face.charToGlyph) for font in fonts]
    return known[0] & known[1]


def printable(words: str) -> str:
    """Return words in the letters that the fonts have, composed where possible (NFC); others become "?"."""
    known = register_pdf_fonts()
    return "".join(one if ord(one) in known else "?" for one in unicodedata.normalize("NFC", words))
