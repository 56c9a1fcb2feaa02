"""Certificates as C2PA wants them, made on the spot."""

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

USES = [
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "encipher_only",
    "decipher_only",
    "crl_sign",
]
KEYS = {
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "PS256": lambda: rsa.generate_private_key(65537, 2048),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
}


def name(text):
    parts = [(NameOID.COMMON_NAME, text), (NameOID.ORGANIZATION_NAME, "Test")]
    return x509.Name([x509.NameAttribute(*part) for part in parts])


def certificate(subject, issuer, key, signer, *, authority):
    """A certificate as C2PA wants it: version 3, with its uses and key identifiers."""
    start = datetime.datetime(2024, 1, 1)
    usage = dict.fromkeys(USES, False)
    public = signer.public_key()
    builder = (
        x509.CertificateBuilder(name(issuer), name(subject), key.public_key(), 1 + authority,
                                start, start + datetime.timedelta(days=36500))
        .add_extension(x509.BasicConstraints(authority, None), True)
        .add_extension(x509.KeyUsage(digital_signature=not authority, key_cert_sign=authority,
                                     **usage), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), False)
    )  # fmt: skip
    if not authority:
        uses = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        builder = builder.add_extension(uses, False)
    edwards = isinstance(signer, ed25519.Ed25519PrivateKey)
    return builder.sign(signer, None if edwards else hashes.SHA256())


def pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def write_chain(folder, algorithm="ES256"):
    """Paths of certificates up to an authority made for it, and of the first one's key."""
    root, key = KEYS[algorithm](), KEYS[algorithm]()
    above = certificate("Root", "Root", root, root, authority=True)
    own = certificate("Signer", "Root", key, root, authority=False)
    pems = [each.public_bytes(serialization.Encoding.PEM) for each in (own, above)]
    (folder / "chain.pem").write_bytes(b"".join(pems))
    (folder / "key.pem").write_bytes(pem(key))
    return folder / "chain.pem", folder / "key.pem"
