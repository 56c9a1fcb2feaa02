"""Content Credentials (C2PA): a signed statement in the file that its sound was generated.

The optional package `c2pa-python` signs; keys are read from PEM files, and are never shown.
"""

import dataclasses
import hashlib
import importlib.metadata
import json
import os
import pathlib
import types

from v2a_jax.errors import UserError
from v2a_jax.media.files import atomic_output

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
DESCRIPTION = "The sound was generated from the picture."
SUFFIXES = (".mp4", ".mov", ".m4v", ".m4a", ".wav", ".flac", ".mp3")  # that can hold a statement
CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Credentials:
    """A certificate chain and its private key, in PEM, and the algorithm they sign with."""

    certificate: bytes
    private_key: bytes = dataclasses.field(repr=False)
    algorithm: str

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificates, in hexadecimal."""
        return hashlib.sha256(self.certificate).hexdigest()


def load_credentials(certificate: str | os.PathLike, private_key: str | os.PathLike) -> Credentials:
    """Reads two PEM files; UserError when they, or the package, are missing or do not fit."""
    package = _package()
    chain, key = (_read(path) for path in (certificate, private_key))
    algorithm, public = _key(key, private_key)
    if _first_public(chain, certificate) != public:
        raise UserError(f"{certificate}: its first certificate is not that of {private_key}")
    found = Credentials(certificate=chain, private_key=key, algorithm=algorithm)
    try:
        _signer(package, found).close()
    except package.C2paError as error:
        raise UserError(f"{certificate}: cannot sign with it and {private_key}") from error
    return found


def check_suffix(path: str | os.PathLike) -> None:
    """UserError when files of this kind cannot hold Content Credentials."""
    suffix = pathlib.Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise UserError(
            f"{path}: {suffix} files cannot hold Content Credentials; a name that works ends in"
            f" {', '.join(SUFFIXES)}"
        )


def sign(draft: str | os.PathLike, path: str | os.PathLike, credentials: Credentials) -> None:
    """Writes a copy of `draft` to `path`, signed, whole or not at all."""
    package = _package()
    check_suffix(path)
    created = {
        "action": "c2pa.created",
        "digitalSourceType": SOURCE_TYPE,
        "description": DESCRIPTION,
    }
    software = {"name": "v2a-jax", "version": importlib.metadata.version("v2a-jax")}
    statement = {
        "claim_generator_info": [software],
        "title": pathlib.Path(path).name,
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [created]}}],
    }
    kind = pathlib.Path(path).suffix.lower().removeprefix(".")
    with open(draft, "rb") as source, atomic_output(path) as file:
        try:
            with _signer(package, credentials) as signer:
                package.Builder(json.dumps(statement)).sign(signer, kind, source, file)
        except package.C2paError as error:
            raise UserError(f"{path}: cannot be signed ({error})") from error


def _package() -> types.ModuleType:
    try:
        import c2pa
    except ImportError as error:
        raise UserError(
            "Content Credentials need the package c2pa-python: pip install 'v2a-jax[c2pa]'"
        ) from error
    return c2pa


def _signer(package: types.ModuleType, credentials: Credentials) -> object:
    given = (credentials.algorithm.lower().encode(), credentials.certificate)
    return package.Signer.from_info(package.C2paSignerInfo(*given, credentials.private_key, None))


def _read(path: str | os.PathLike) -> bytes:
    try:
        text = pathlib.Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {(error.strerror or str(error)).lower()}") from error
    if b"-----BEGIN" not in text:
        raise UserError(f"{path}: not a PEM file")
    return text


def _key(key: bytes, path: str | os.PathLike) -> tuple[str, object]:
    """The C2PA name of the signature that a private key makes, and its public half."""
    from cryptography.hazmat.primitives import serialization  # comes with c2pa-python
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    try:
        found = serialization.load_pem_private_key(key, password=None)
    except (ValueError, TypeError) as error:
        raise UserError(f"{path}: not a private key without a password") from error
    if isinstance(found, ec.EllipticCurvePrivateKey) and found.curve.name in CURVES:
        return CURVES[found.curve.name], found.public_key()
    if isinstance(found, ed25519.Ed25519PrivateKey):
        return "Ed25519", found.public_key()
    if isinstance(found, rsa.RSAPrivateKey):
        return "PS256", found.public_key()
    raise UserError(f"{path}: a private key of a kind that C2PA does not allow")


def _first_public(chain: bytes, path: str | os.PathLike) -> object:
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificates(chain)[0].public_key()
    except ValueError as error:
        raise UserError(f"{path}: not a chain of certificates") from error
