"""What Telnyx would say, signed with the key whose public half the test settings name."""

import base64
import json
import time
import uuid
from datetime import UTC, datetime
from itertools import count
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
_n = count(1)


def signing_key_pem() -> str:
    return _KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def other_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))


def public_half(key: Ed25519PrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


def control_id() -> str:
    return f"v3:test{next(_n):032d}"


def event(event_type: str, *, at: datetime | None = None, event_id: str = "", **payload: Any) -> dict[str, Any]:
    """One event in its envelope."""
    occurred_at = (at or datetime.now(UTC)).isoformat().replace("+00:00", "Z")
    data = {
        "record_type": "event",
        "event_type": event_type,
        "id": event_id or str(uuid.uuid4()),
        "occurred_at": occurred_at,
        "payload": payload,
    }
    return {"data": data, "meta": {"attempt": 1, "delivered_to": "https://voice.example.com/hooks/telnyx/x"}}


def signed(body: bytes, *, at: float | None = None, key: Ed25519PrivateKey = _KEY) -> dict[str, str]:
    """The headers of a delivery. at: Unix seconds, now unless given."""
    timestamp = str(int(time.time() if at is None else at))
    signature = base64.b64encode(key.sign(timestamp.encode() + b"|" + body)).decode()
    return {"Telnyx-Timestamp": timestamp, "Telnyx-Signature-Ed25519": signature}


def as_body(message: dict[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()
