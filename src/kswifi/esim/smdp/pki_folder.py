"""Certificates and keys of an installation as files: read, created at the first start, or imported from a folder.

The folder has the layout of the GSMA's SGP.26. A file ``crl.der``, or several named ``*.crl``, in a folder
below it are revocation lists of its CIs.
"""

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding

from kswifi.kernel.files import OWNER_ONLY_DIRECTORY, write_owner_only
from kswifi.kernel.numbers import Eid
from kswifi.rsp.certificates import Role
from kswifi.rsp.curves import Curve
from kswifi.rsp.errors import PkiError
from kswifi.rsp.pki import MAX_PKI_FILES, KeyedCertificate, Pki, load_pki
from kswifi.rsp.pki_making import PkiPlan, make_pki, make_tls_server, private_key_pem
from kswifi.rsp.trust import Revoked, read_revocations

LARGEST_FILE_OCTETS: Final = 1 << 20
RENEW_TLS_BEFORE: Final = timedelta(days=30)
_CRL_ENDINGS: Final = (".crl", "crl.der")


def read_folder(folder: Path) -> dict[str, bytes]:
    """Return the files of a PKI folder by name.

    Raises:
        PkiError: the folder does not exist, or has too many or too large files.
    """
    if not folder.is_dir():
        raise PkiError(f"there is no folder {folder}", folder=str(folder))
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith(".")]
    if len(paths) > MAX_PKI_FILES:
        raise PkiError(f"{folder} holds {len(paths)} files: it is no PKI folder", files=len(paths))
    for path in paths:
        if path.stat().st_size > LARGEST_FILE_OCTETS:
            raise PkiError(f"{path} is too long for a certificate or key", file=str(path))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def load_folder(folder: Path) -> Pki:
    """Return the PKI of a folder.

    Raises:
        PkiError: it is unreadable; the message names the file.
    """
    return load_pki(_without_lists(read_folder(folder)))


def revoked_in(folder: Path, pki: Pki, at: datetime) -> Revoked:
    """Return the certificates that the folder's revocation lists revoke.

    Raises:
        PkiError: a list is malformed, expired, or not issued by one of its CIs.
    """
    revoked: Revoked = frozenset()
    for name, content in read_folder(folder).items():
        if name.lower().endswith(_CRL_ENDINGS):
            revoked |= _read_list(name, content, pki, at)
    return revoked


def init_folder(folder: Path, *, smdp_address: str, organization: str, eid_prefix: str, at: datetime) -> Pki:
    """Create a PKI for this installation in an empty folder.

    Raises:
        PkiError: the folder is not empty: certificates that cards may trust are never overwritten.
    """
    if folder.is_dir() and any(folder.iterdir()):
        raise PkiError(f"{folder} is not empty: nothing in it was changed", folder=str(folder))
    serial = int.from_bytes(os.urandom(8), "big")
    eid = Eid.with_check_digits(eid_prefix + f"{serial:022d}"[: 30 - len(eid_prefix)])
    files = make_pki(PkiPlan(organization, smdp_address, eid_prefix), eid, at)
    write_folder(folder, files)
    return load_pki(files)


def import_folder(source: Path, folder: Path) -> Pki:
    """Import certificates and keys from another folder after checking them.

    Raises:
        PkiError: the source is not a usable PKI, or the target is not empty.
    """
    if folder.is_dir() and any(folder.iterdir()):
        raise PkiError(f"{folder} is not empty: nothing in it was changed", folder=str(folder))
    files = read_folder(source)
    pki = load_pki(_without_lists(files))
    pki.smdp_identities()
    write_folder(folder, files)
    return pki


def write_folder(folder: Path, files: dict[str, bytes]) -> None:
    """Write the files of a PKI, readable only by their owner."""
    folder.mkdir(mode=OWNER_ONLY_DIRECTORY, parents=True, exist_ok=True)
    folder.chmod(OWNER_ONLY_DIRECTORY)
    for name in sorted(files):
        path = folder / name
        path.parent.mkdir(mode=OWNER_ONLY_DIRECTORY, parents=True, exist_ok=True)
        write_owner_only(path, files[name])


def tls_files(pki: Pki, host: str, folder: Path, at: datetime) -> tuple[Path, Path]:
    """Return certificate and key files (PEM) for a host's TLS server, ready for an SSLContext.

    They are the PKI's DPtls certificate for the host. If there is none, or it expires soon, and the CI's
    private key is available, a new one is issued and stored in ``folder``; the given PKI is not changed.

    Raises:
        PkiError: there is no certificate for the host, and none can be issued.
    """
    folder.mkdir(mode=OWNER_ONLY_DIRECTORY, parents=True, exist_ok=True)
    certificate, key = folder / "tls-certificate.pem", folder / "tls-key.pem"
    chosen = _good_for(pki, host, at)
    if chosen is None and certificate.exists() and key.exists():
        made = load_pki({certificate.name: certificate.read_bytes(), key.name: key.read_bytes()})
        chosen = _good_for(made, host, at)
        issuers = {each.certificate.key_id for each in pki.of_role(Role.CI)}
        if chosen is not None and chosen.certificate.issuer_key_id not in issuers:
            chosen = None
    if chosen is None:
        chosen = _make_tls(pki, host, at)
    write_owner_only(certificate, chosen.certificate.parsed.public_bytes(Encoding.PEM))
    write_owner_only(key, private_key_pem(chosen.key))
    return certificate, key


def _good_for(pki: Pki, host: str, at: datetime) -> KeyedCertificate | None:
    found = pki.tls_for(host)
    return found if found is not None and found.certificate.not_after - RENEW_TLS_BEFORE > at else None


def _make_tls(pki: Pki, host: str, at: datetime) -> KeyedCertificate:
    issuers = [each for each in pki.of_role(Role.CI) if each.private_key is not None]
    if not issuers:
        raise PkiError(
            f"no DPtls certificate with a key is good for {host}, and the CI's key that could sign one is not here",
            host=host,
        )
    issuer = min(issuers, key=lambda each: each.certificate.curve is not Curve.NIST_P256)
    oid = next(identity.oid for identity in pki.smdp_identities())
    return make_tls_server(issuer, organization="KSWiFi", host=host, oid=oid, at=at)


def _read_list(name: str, content: bytes, pki: Pki, at: datetime) -> Revoked:
    problem: PkiError | None = None
    for issuer in pki.of_role(Role.CI):
        try:
            return read_revocations(content, issuer.certificate, at)
        except PkiError as error:
            problem = error
    raise PkiError(f"{name}: {problem.message if problem else 'there is no CI'}", file=name)


def _without_lists(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: content for name, content in files.items() if not name.lower().endswith(_CRL_ENDINGS)}
