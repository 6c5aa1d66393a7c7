"""Secrets are made once, kept to their owner, and shaped like the real ones."""

import base64
import contextlib
import re
import ssl
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


def test_the_encrypted_port_is_believed_by_who_trusts_its_authority_and_by_nobody_else(layout):
    files = secrets_store.sandbox_secrets(layout)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(files["SANDBOX_TLS_FILE"])
    trusting = ssl.create_default_context(cafile=files["GEMINI_CA_FILE"])
    trusting.verify_flags |= ssl.VERIFY_X509_STRICT  # the default from Python 3.13
    for name in ("127.0.0.1", "localhost"):
        shake_hands(trusting, server, name)
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        shake_hands(trusting, server, "example.com")
    with pytest.raises(ssl.SSLCertVerificationError, match="issuer"):
        shake_hands(ssl.create_default_context(), server, "localhost")


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> None:
    """In memory. Raises SSLCertVerificationError."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for end in ends * 3:
        with contextlib.suppress(ssl.SSLWantReadError):
            end.do_handshake()


def test_certificate_and_authority_are_made_anew_together(layout):
    files = secrets_store.sandbox_secrets(layout)
    before = Path(files["SANDBOX_TLS_FILE"]).read_text()
    Path(files["GEMINI_CA_FILE"]).write_text("")
    assert secrets_store.sandbox_secrets(layout) == files
    assert Path(files["SANDBOX_TLS_FILE"]).read_text() != before


@pytest.mark.parametrize("left", [b"", b"\n"])
def test_a_secret_cut_short_by_a_full_disk_is_made_anew(layout, left):
    (layout.secrets / "secret_key").write_bytes(left)
    assert len(_values(secrets_store.application_secrets(layout))["SECRET_KEY"]) >= 50


def test_demo_people_have_roles_and_passwords_of_their_own(layout):
    logins = secrets_store.demo_logins(layout)
    assert {login["role"] for login in logins.values()} == {"admin", "supervisor", "agent"}
    assert len({login["password"] for login in logins.values()}) == len(logins)
    assert secrets_store.demo_logins(layout) == logins
