"""Activation data that brings a profile onto a phone: activation code, QR code, and values to type in."""

import io
from functools import lru_cache
from typing import Any

import segno

from kswifi.esim.model import ESim, LineSettings, activation_code


def activation_data(esim: ESim, line: LineSettings) -> dict[str, Any]:
    """Return the activation data of a session package: JSON values, the QR code as an SVG document."""
    smdp_address = esim.smdp_address or line.smdp_address
    code = activation_code(smdp_address, esim.numbers.matching_id)
    return {
        "activation_code": code,
        "qr_code_svg": qr_code_svg(code),
        "manual_setup": {
            "smdp_address": smdp_address,
            "activation_code": esim.numbers.matching_id,
            "apn": line.apn,
            "user_name": line.apn_user_name,
            "password": line.apn_password,
        },
    }


@lru_cache(maxsize=256)
def qr_code_svg(text: str) -> str:
    """Return a QR code (ISO/IEC 18004, error correction M) as an SVG document without a fixed size.

    The codes used last are kept, because each session of a line has the same one, and one takes 10 ms.
    """
    svg = io.BytesIO()
    segno.make_qr(text, error="m").save(
        svg,
        kind="svg",
        scale=4,
        omitsize=True,
        xmldecl=False,
        svgclass=None,
        lineclass=None,
        light="#fff",
        nl=False,
    )
    return svg.getvalue().decode()
