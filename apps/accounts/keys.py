"""The Ed25519 keys of API tokens: one that signs, and older ones whose tokens still live. No Django here."""

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from typing import TypedDict

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_PEM = re.compile(r"-----BEGIN ([A-Z ]+)-----.+?-----END \1-----", re.DOTALL)


class BadKey(ValueError):
    """Not the Ed25519 key it should be; the message says what was found, never the key."""


class Jwk(TypedDict):
    """A public key as RFC 8037 writes it."""

    kty: str
    crv: str
    x: str
    kid: str
    alg: str
    use: str


@dataclass(frozen=True, slots=True)
class KeyRing:
    """kid (RFC 7638 thumbprint) → public key. ``signing`` is the private half of ``signing_kid``."""

    signing: Ed25519PrivateKey
    signing_kid: str
    public: dict[str, Ed25519PublicKey]

    def jwks(self) -> list[Jwk]:
        """All public keys, the one that signs first."""
        return [
            {"kty": "OKP", "crv": "Ed25519", "x": _x(key), "kid": kid, "alg": "EdDSA", "use": "sig"}
            for kid, key in self.public.items()
        ]


def key_ring(signing_pem: str, previous_pems: str) -> KeyRing:
    """signing_pem: PKCS 8. previous_pems: public keys one after the other, "" for none. Raises BadKey."""
    try:
        signing = serialization.load_pem_private_key(signing_pem.strip().encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadKey("JWT_SIGNING_KEY is not an unencrypted private key in PEM (PKCS 8).") from error
    if not isinstance(signing, Ed25519PrivateKey):
        raise BadKey(f"JWT_SIGNING_KEY is a {type(signing).__name__}; an Ed25519 key is needed.")
    keys = [signing.public_key(), *_public_keys(previous_pems)]
    public = {thumbprint(key): key for key in keys}
    return KeyRing(signing=signing, signing_kid=thumbprint(keys[0]), public=public)


def _public_keys(pems: str) -> list[Ed25519PublicKey]:
    blocks = [match.group(0) for match in _PEM.finditer(pems)]
    if pems.strip() and not blocks:
        raise BadKey("JWT_PREVIOUS_KEYS holds no PEM block.")
    keys = []
    for block in blocks:
        try:
            key = serialization.load_pem_public_key(block.encode())
        except (ValueError, UnsupportedAlgorithm) as error:
            raise BadKey("JWT_PREVIOUS_KEYS holds a PEM block that is not a public key.") from error
        if not isinstance(key, Ed25519PublicKey):
            raise BadKey(f"JWT_PREVIOUS_KEYS holds a {type(key).__name__}; Ed25519 keys are needed.")
        keys.append(key)
    return keys


def thumbprint(key: Ed25519PublicKey) -> str:
    """RFC 7638: SHA-256 of the required members in lexical order without spaces, base64url."""
    canonical = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": _x(key)}, separators=(",", ":"), sort_keys=True)
    return _base64url(hashlib.sha256(canonical.encode()).digest())


def _x(key: Ed25519PublicKey) -> str:
    return _base64url(key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
