"""HTTPS in a local network: the installation's own CA, a certificate for this machine, and the page about trust.

Browsers allow installation, offline work and signature checks only for secure origins, and no public CA issues
certificates for private addresses. The CA made here can only sign for private addresses (name constraints, RFC
5280, 4.2.1.10): a device that trusts it does not trust it for any host on the internet.
"""

import hashlib
import socket
import ssl
from datetime import datetime, timedelta
from html import escape
from ipaddress import IPv4Address, ip_address, ip_network
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from kswifi.kernel.errors import KswifiError
from kswifi.kernel.files import write_owner_only

_CA_VALID: Final = timedelta(days=3650)
_SERVER_VALID: Final = timedelta(days=90)
"""A new certificate is made at each start. Phones accept at most 825 days from a CA that their user added."""
_SKEW: Final = timedelta(hours=1)
_PRIVATE: Final = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8")
_NO_NAME: Final = "kswifi.invalid"
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"


class LanAddressError(KswifiError):
    """This machine has no private address that other machines in its network can reach."""

    code = "no_lan_address"


def lan_address() -> IPv4Address:
    """Return this machine's private address in its network.

    Raises:
        LanAddressError: it has no network, or only a public address.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: it makes the system choose a route (RFC 5737)
        except OSError:
            raise LanAddressError("this machine is in no network: connect it to WiFi first") from None
        return private_address(probe.getsockname()[0])


def private_address(text: str) -> IPv4Address:
    """Parse a private IPv4 address.

    Raises:
        LanAddressError: the text is not a private IPv4 address.
    """
    try:
        address = ip_address(text)
    except ValueError:
        address = None
    if not isinstance(address, IPv4Address) or not any(address in ip_network(net) for net in _PRIVATE):
        raise LanAddressError(f"{text} is not a private IPv4 address (10.…, 172.16.…, 192.168.…)", address=text)
    return address


def new_ca(now: datetime) -> bytes:
    """Create a CA; return its key and certificate as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"KSWiFi here, {now:%Y-%m-%d}")])
    permitted: list[x509.GeneralName] = [x509.IPAddress(ip_network(net)) for net in _PRIVATE]
    certificate = (
        _builder(name, name, key.public_key(), now, _CA_VALID)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.NameConstraints([*permitted, x509.DNSName(_NO_NAME)], None), critical=True)
        .sign(key, SHA256())
    )
    return _key_pem(key) + certificate.public_bytes(Encoding.PEM)


def lan_context(ca: bytes, address: IPv4Address, now: datetime, file: Path) -> ssl.SSLContext:
    """Return the TLS context of a server at the address, with a new certificate that is written to the file."""
    issuer_key, issuer = load_pem_private_key(ca, None), ca_certificate(ca)
    if not isinstance(issuer_key, ec.EllipticCurvePrivateKey):
        raise TypeError("the key of the local CA is on an elliptic curve")
    key = ec.generate_private_key(ec.SECP256R1())
    # A name that cannot be taken for a host name: without DNS names in the certificate, clients would check this
    # one.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "KSWiFi in this network")])
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    certificate = (
        _builder(name, issuer.subject, key.public_key(), now, _SERVER_VALID)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(address)]), critical=False)
        .add_extension(authority, critical=False)
        .sign(issuer_key, SHA256())
    )
    write_owner_only(file, _key_pem(key) + certificate.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(file)
    return context


def ca_certificate(ca: bytes) -> x509.Certificate:
    """Return the certificate in a CA's file. It may be published; the key in that file may not."""
    return x509.load_pem_x509_certificate(ca[ca.index(b"-----BEGIN CERTIFICATE") :])


def trust_app(ca: bytes, origin: str) -> Starlette:
    """Return the web page, over plain HTTP, that explains how to trust the CA."""
    der = ca_certificate(ca).public_bytes(Encoding.DER)
    digest = hashlib.sha256(der).hexdigest().upper()
    fingerprint = " ".join(digest[at : at + 4] for at in range(0, len(digest), 4))
    headers = {"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}

    async def page(_request: Request) -> Response:
        return HTMLResponse(_PAGE.format(origin=escape(origin), fingerprint=fingerprint), headers=headers)

    async def certificate(_request: Request) -> Response:
        return Response(der, media_type="application/x-x509-ca-cert", headers=headers)

    return Starlette(routes=[Route("/", page), Route("/kswifi-ca.crt", certificate)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, valid: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before((now - _SKEW).replace(microsecond=0))
        .not_valid_after((now + valid).replace(microsecond=0))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


_PAGE: Final = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Trust this KSWiFi</title>
<style>:root {{ color-scheme: dark light }} body {{ font: 1.0625rem/1.6 system-ui, sans-serif; max-width: 38rem;
margin: 0 auto; padding: 1.5rem }} a.b {{ display: block; padding: 1rem; border-radius: 1rem; background: #00cfe8;
color: #000; text-align: center; font-weight: 700; text-decoration: none; margin: 1.5rem 0 }}
code {{ overflow-wrap: anywhere }}</style></head><body><main>
<h1>Trust this KSWiFi</h1>
<p>This KSWiFi runs on a machine in your own network, so no public authority can vouch for it. To install the app
and use it offline, your phone has to trust the certificate that this machine made for itself.</p>
<ol><li>Get the certificate: <a class="b" href="/kswifi-ca.crt">Download the certificate</a></li>
<li><b>Android:</b> Settings, Security, More security settings, Encryption &amp; credentials, Install a certificate,
CA certificate, then choose kswifi-ca.crt.<br><b>iPhone:</b> Settings, Profile Downloaded, Install; then Settings,
General, About, Certificate Trust Settings, and switch it on.<br><b>Computer:</b> import it in your browser's
settings, under Authorities.</li>
<li>See that it is the right one. Its SHA-256 is also printed where KSWiFi was started:<br>
<code>{fingerprint}</code></li>
<li><a class="b" href="{origin}">Open KSWiFi</a></li></ol>
<p>It can vouch for private addresses alone, for no site on the internet. Its key stays on that machine. When you
are done, remove it in the same place.</p></main></body></html>
"""
