"""Secrets of a local run: made once at random, kept below VAR_DIR in files that only the owner may read.

Production has no such store: there the secrets come from the environment, and a missing one stops the start.
"""

import base64
import json
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from config.run import certificates
from config.run.layout import Layout

DEMO_ROLES = {"admin": "admin", "alice": "supervisor", "bob": "agent"}  # user name → role


def password_in(path: Path) -> str:
    """The random password kept in the file; made on first use. Letters and digits, so it is safe in any URL."""
    return _kept(path, lambda: secrets.token_hex(20))


def application_secrets(layout: Layout) -> dict[str, str]:
    """What the product needs whoever the carrier is, as NAME_FILE variables."""
    makers: dict[str, Callable[[], str]] = {
        "SECRET_KEY": lambda: secrets.token_urlsafe(48),
        "JWT_SIGNING_KEY": _ed25519_pem,
    }
    return _as_files(layout, makers)


def sandbox_secrets(layout: Layout) -> dict[str, str]:
    """Accounts at the sandbox's carriers and voice AIs, as NAME_FILE variables; shaped like the real ones.

    SANDBOX_TELNYX_SIGNING_KEY (PEM) is the carrier's own half of TELNYX_PUBLIC_KEY (base64 of the 32 raw bytes).
    """
    makers: dict[str, Callable[[], str]] = {
        "TWILIO_ACCOUNT_SID": lambda: f"AC{secrets.token_hex(16)}",
        "TWILIO_AUTH_TOKEN": lambda: secrets.token_hex(16),
        "OPENAI_API_KEY": lambda: f"sk-sandbox-{secrets.token_urlsafe(36)}",
        "TELNYX_API_KEY": lambda: f"KEY{secrets.token_hex(20)}",
        "GEMINI_API_KEY": lambda: f"AIza{secrets.token_urlsafe(26)}",
        "DEEPGRAM_API_KEY": lambda: secrets.token_hex(20),
        "SANDBOX_TELNYX_SIGNING_KEY": _ed25519_pem,
    }
    files = _as_files(layout, makers)
    signing_key = Path(files["SANDBOX_TELNYX_SIGNING_KEY_FILE"]).read_text(encoding="utf-8")
    files |= _as_files(layout, {"TELNYX_PUBLIC_KEY": lambda: _public_half(signing_key)})
    return files | _tls(layout)


def demo_logins(layout: Layout) -> dict[str, dict[str, str]]:
    """The demo's people, kept in VAR_DIR/demo_logins.json: user name → {"role": …, "password": …}."""

    def make() -> str:
        people = {
            name: {"role": role, "password": "-".join(secrets.token_hex(2) for _ in range(4))}
            for name, role in DEMO_ROLES.items()
        }
        return json.dumps(people, indent=2)

    logins: dict[str, dict[str, str]] = json.loads(_kept(layout.demo_logins, make))
    return logins


def _tls(layout: Layout) -> dict[str, str]:
    """SANDBOX_TLS_FILE: key and certificate of the sandbox's encrypted port. GEMINI_CA_FILE: who vouches for it."""
    served, authority = layout.secrets / "sandbox_tls", layout.secrets / "sandbox_ca"
    if not (_is_written(served) and _is_written(authority)):
        pair = certificates.for_loopback()
        for path, text in ((served, pair.served), (authority, pair.authority)):
            path.unlink(missing_ok=True)
            _kept(path, lambda text=text: text)  # type: ignore[misc]  # typed by its use
    return {"SANDBOX_TLS_FILE": str(served), "GEMINI_CA_FILE": str(authority)}


def _is_written(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _as_files(layout: Layout, makers: Mapping[str, Callable[[], str]]) -> dict[str, str]:
    files = {}
    for name, make in makers.items():
        path = layout.secrets / name.lower()
        _kept(path, make)
        files[f"{name}_FILE"] = str(path)
    return files


def _kept(path: Path, make: Callable[[], str]) -> str:
    """The file's text; an absent or empty file, as a full disk leaves it, is written anew and whole."""
    try:
        if text := path.read_text(encoding="utf-8").strip():
            return text
    except FileNotFoundError:
        pass
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    text = make().strip()
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    return text


def _ed25519_pem() -> str:
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")


def _public_half(pem: str) -> str:
    key = load_pem_private_key(pem.encode("ascii"), password=None)
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return base64.b64encode(raw).decode("ascii")
