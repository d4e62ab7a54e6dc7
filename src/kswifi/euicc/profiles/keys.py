"""The keys of an application: make the keys for AUTHENTICATE from an AKA parameter element."""

from typing import Final

from kswifi.euicc.profiles.files import unsupported
from kswifi.euicc.state import Authentication
from kswifi.rsp import tlv
from kswifi.rsp.saip import der, elements
from kswifi.rsp.saip.errors import ProfilePackageError

_KEY_OCTETS: Final = 16


def make_keys(aka: elements.AkaParameter) -> Authentication:
    """Return the keys of an element with an algorithm parameter.

    Raises:
        ProfilePackageError: a key has the wrong length.
        ProfileRefusedError: the card lacks the algorithm or one of its options.
    """
    algorithm = aka.algorithm
    sequence_numbers = [int.from_bytes(sqn, "big") for sqn in aka.sqn_init]
    delta = int.from_bytes(aka.sqn_delta, "big")
    if algorithm is not None and algorithm.algorithm_id == elements.ALGORITHM_USIM_TEST:
        if len(algorithm.key) != _KEY_OCTETS:
            raise ProfilePackageError("the USIM test algorithm takes a key of 16 octets")
        # SAIP, AKAParameter: the XOR algorithm ignores sqnOptions and sqnDelta.
        return Authentication(algorithm.key, b"", sequence_numbers, (1 << 43) - 1, test_algorithm=True)
    if algorithm is None or algorithm.algorithm_id != elements.ALGORITHM_MILENAGE:
        raise unsupported("another authentication algorithm than Milenage with keys of its own")
    if (algorithm.options, algorithm.rotation, algorithm.xoring) != (
        elements.RES_64_BITS,
        elements.DEFAULT_ROTATION,
        elements.DEFAULT_XORING,
    ):
        raise unsupported("Milenage with other constants or another length of RES than the usual ones")
    if len(algorithm.key) != _KEY_OCTETS or len(algorithm.opc) != _KEY_OCTETS:
        raise ProfilePackageError("Milenage takes keys of 16 octets")
    if aka.sqn_options != elements.SQN_WRAP_AROUND_PROTECTION:
        raise unsupported("other sequence number options than wrap-around protection")
    return Authentication(algorithm.key, algorithm.opc, sequence_numbers, delta)


def mapped_application(mapping: bytes) -> bytes:
    """Return the AID of the application whose keys a mapping parameter shares.

    Raises:
        ProfilePackageError: it names no application.
    """
    return der.required(tlv.children(mapping), 0x81, "mappingSource")
