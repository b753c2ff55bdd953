"""Content credentials: a picture or clip is signed as C2PA asks, with the photograph that it was made from.

C2PA's own library writes and reads them (extra ``credentials``). What is signed says the same as
:mod:`pocketlens.origin`, and holds a hash of the file: whoever changes a pixel breaks it.
"""

import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pocketlens.errors import InputError, require
from pocketlens.files import regular, whole
from pocketlens.origin import SOURCE_TYPE, Origin
from pocketlens.version import BASE_VERSION

_MAX_KEY_BYTES = 1_000_000
_PEM = "give a PEM file that holds the private key, the certificate and those above it, its own first"
_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
SIGNED_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".gif", ".mp4", ".mov", ".m4v")
"""Formats that C2PA defines a place in."""


@dataclass(frozen=True)
class Seal:
    """What a stylized file says of where it comes from.

    Attributes:
        origin: The filter; None to say nothing.
        credentials: The key that signs; None not to.
    """

    origin: Origin | None = None
    credentials: "Credentials | None" = None

    @property
    def xmp(self) -> str:
        """The metadata of a file; empty for none."""
        return self.origin.xmp() if self.origin else ""

    def finish(self, path: Path, source: Path | None = None) -> None:
        """Sign a written file, where there is a key."""
        if self.credentials and self.origin:
            self.credentials.sign(path, self.origin, source)


NO_SEAL = Seal()
"""Says nothing."""


@dataclass(frozen=True)
class Credentials:
    """A key that signs.

    Attributes:
        algorithm: C2PA's name of the signature's algorithm, for instance ``es256``.
        key: The private key, PEM.
        certificates: The certificate and those above it, PEM.
    """

    algorithm: str
    key: bytes
    certificates: bytes

    def sign(self, path: Path, origin: Origin, source: Path | None = None) -> None:
        """Sign a file in place, whole or not at all.

        Args:
            path: A picture or a clip; its suffix is one of :data:`SIGNED_SUFFIXES`.
            origin: What it says of itself.
            source: The photograph or clip that it was made from; None for a camera.

        Raises:
            InputError: The file's format has no place for credentials, or the key or certificate does not suit C2PA.
        """
        if path.suffix.lower() not in SIGNED_SUFFIXES:
            raise InputError(
                f"{path.name} cannot be signed: C2PA has no place in {path.suffix or 'such'} files",
                do=f"write one of {', '.join(SIGNED_SUFFIXES)}",
            )
        import c2pa

        try:
            signer = c2pa.Signer.from_info(
                c2pa.C2paSignerInfo(self.algorithm.encode(), self.certificates, self.key, None)
            )
            kind = mimetypes.guess_type(source.name)[0] if source else None
            known = kind in c2pa.Builder.get_supported_mime_types()
            plain = c2pa.Settings.from_dict({"builder": {"thumbnail": {"enabled": False}}})  # they are half the file
            builder = c2pa.Builder(_manifest(path, origin, opened=known), c2pa.Context(plain))
            if source is not None and known:
                with source.open("rb") as file:
                    builder.add_ingredient(_ingredient(source), kind, file)
            with whole(path) as part:
                builder.sign_file(path, part, signer)
        except c2pa.C2paError as error:
            raise InputError(f"{path.name} cannot be signed: {error}", do=_PEM) from error


def _ingredient(source: Path) -> dict[str, str]:
    return {"title": source.name, "relationship": "parentOf", "label": "source"}


def _manifest(path: Path, origin: Origin, *, opened: bool) -> dict[str, Any]:
    filtered = {
        "action": "c2pa.edited" if opened else "c2pa.created",
        "digitalSourceType": SOURCE_TYPE,
        "softwareAgent": {"name": origin.filter, **({"version": origin.version} if origin.version else {})},
        "description": origin.sentence,
    }
    first = [{"action": "c2pa.opened", "parameters": {"ingredientIds": ["source"]}}] if opened else []
    return {
        "claim_generator_info": [{"name": "Pocketlens", "version": BASE_VERSION}],
        "title": path.name,
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [*first, filtered]}}],
    }


def read_credentials(path: Path) -> Credentials:
    """Read a key with its certificates from a PEM file.

    Raises:
        InputError: It is absent, holds no private key or no certificate, or a key that C2PA does not sign with.
        MissingError: c2pa-python is not installed.
    """
    require("c2pa", "credentials")
    require("cryptography", "credentials")
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    if regular(path).stat().st_size > _MAX_KEY_BYTES:
        raise InputError(f"{path} is larger than {_MAX_KEY_BYTES:,} bytes", do=_PEM)
    pem = path.read_bytes()
    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError) as error:  # TypeError: it is locked with a password
        reason = "it needs a password" if isinstance(error, TypeError) else "it holds no private key"
        raise InputError(f"{path} cannot sign: {reason}", do=_PEM) from error
    try:
        certificates = x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise InputError(f"{path} cannot sign: it holds no certificate", do=_PEM) from error
    encoding, private = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    chain = b"".join(certificate.public_bytes(encoding) for certificate in certificates)
    return Credentials(_algorithm(path, key), key.private_bytes(encoding, private, serialization.NoEncryption()), chain)


def _algorithm(path: Path, key: object) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _CURVES:
        return _CURVES[key.curve.name]
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= 2048:
        return "ps256"
    raise InputError(
        f"{path} holds a key that C2PA does not sign with", do="make one: openssl ecparam -name prime256v1 -genkey"
    )
