"""Telnyx's webhook signature: Ed25519 over the timestamp, a bar and the raw body."""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key


def load_key(pem: str) -> Ed25519PrivateKey:
    """A private key in PEM; raises ValueError for anything but Ed25519."""
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except TypeError as error:  # the key is encrypted
        raise ValueError(str(error)) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("not an Ed25519 key")
    return key


def signature(key: Ed25519PrivateKey, timestamp: str, body: bytes) -> str:
    """The `Telnyx-Signature-Ed25519` of an event. `timestamp` is that of `Telnyx-Timestamp`, Unix seconds."""
    return base64.b64encode(key.sign(timestamp.encode() + b"|" + body)).decode()
