"""Secrets are made once, kept to their owner, and shaped like the real ones."""

import base64
import re
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from config.run import secrets_store


def _values(files):
    return {name.removesuffix("_FILE"): Path(path).read_text(encoding="utf-8").strip() for name, path in files.items()}


def test_secrets_are_made_once(layout):
    first = _values(secrets_store.application_secrets(layout) | secrets_store.sandbox_secrets(layout))
    again = _values(secrets_store.application_secrets(layout) | secrets_store.sandbox_secrets(layout))
    assert first == again
    assert len(set(first.values())) == len(first)


def test_only_the_owner_may_read_them(layout):
    files = secrets_store.application_secrets(layout) | secrets_store.sandbox_secrets(layout)
    secrets_store.demo_logins(layout)
    for path in [*files.values(), layout.demo_logins]:
        assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600, path
    assert stat.S_IMODE(layout.secrets.stat().st_mode) == 0o700


def test_accounts_look_like_the_real_ones(layout):
    values = _values(secrets_store.sandbox_secrets(layout))
    assert re.fullmatch(r"AC[0-9a-f]{32}", values["TWILIO_ACCOUNT_SID"])
    assert re.fullmatch(r"[0-9a-f]{32}", values["TWILIO_AUTH_TOKEN"])
    assert values["OPENAI_API_KEY"].startswith("sk-")


def test_the_jwt_key_is_ed25519(layout):
    pem = _values(secrets_store.application_secrets(layout))["JWT_SIGNING_KEY"]
    assert isinstance(load_pem_private_key(pem.encode(), password=None), Ed25519PrivateKey)


def test_telnyx_halves_belong_together(layout):
    values = _values(secrets_store.sandbox_secrets(layout))
    private = load_pem_private_key(values["SANDBOX_TELNYX_SIGNING_KEY"].encode(), password=None)
    assert isinstance(private, Ed25519PrivateKey)
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(values["TELNYX_PUBLIC_KEY"]))
    public.verify(private.sign(b"event"), b"event")


@pytest.mark.parametrize("left", [b"", b"\n"])
def test_a_secret_cut_short_by_a_full_disk_is_made_anew(layout, left):
    (layout.secrets / "secret_key").write_bytes(left)
    assert len(_values(secrets_store.application_secrets(layout))["SECRET_KEY"]) >= 50


def test_demo_people_have_roles_and_passwords_of_their_own(layout):
    logins = secrets_store.demo_logins(layout)
    assert {login["role"] for login in logins.values()} == {"admin", "supervisor", "agent"}
    assert len({login["password"] for login in logins.values()}) == len(logins)
    assert secrets_store.demo_logins(layout) == logins
