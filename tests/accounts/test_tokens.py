"""Algorithm confusion, foreign keys, rotation of our own."""

import base64
import hashlib
import hmac
import json
import time
import uuid

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from django.conf import settings
from rest_framework_simplejwt.exceptions import TokenError

from apps.accounts import tokens
from apps.accounts.tokens import AccessToken, RefreshToken, ring
from tests.accounts.test_keys import private_pem, public_pem


def claims(**other):
    now = int(time.time())
    return {
        "token_type": "access",
        "iss": settings.PUBLIC_ORIGIN,
        "sub": "1",
        "iat": now,
        "exp": now + 600,
        "jti": uuid.uuid4().hex,
        **other,
    }


def sign(payload, *, key=None, kid=None, headers=None):
    keys = ring()
    return jwt.encode(
        payload, key or keys.signing, algorithm="EdDSA", headers={"kid": kid or keys.signing_kid, **(headers or {})}
    )


def test_a_token_of_ours_is_read():
    assert AccessToken(sign(claims())).payload["sub"] == "1"


def test_the_header_names_key_and_algorithm():
    header = jwt.get_unverified_header(str(RefreshToken()))
    assert header == {"alg": "EdDSA", "typ": "JWT", "kid": ring().signing_kid}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def with_none() -> str:
    header = b64(json.dumps({"alg": "none", "kid": ring().signing_kid}).encode())
    return f"{header}.{b64(json.dumps(claims()).encode())}."


def with_public_key_as_secret() -> str:
    """The classic: our public key, which everybody may read, used as an HMAC secret."""
    secret = public_pem(ring().signing).encode()
    body = (
        f"{b64(json.dumps({'alg': 'HS256', 'kid': ring().signing_kid}).encode())}.{b64(json.dumps(claims()).encode())}"
    )
    return f"{body}.{b64(hmac.new(secret, body.encode(), hashlib.sha256).digest())}"


def with_secret_key() -> str:
    return jwt.encode(claims(), settings.SECRET_KEY, algorithm="HS256", headers={"kid": ring().signing_kid})


def with_rsa() -> str:
    key = rsa.generate_private_key(65537, 2048)
    return jwt.encode(claims(), key, algorithm="RS256", headers={"kid": ring().signing_kid})


def with_elliptic_curve() -> str:
    return jwt.encode(
        claims(), ec.generate_private_key(ec.SECP256R1()), algorithm="ES256", headers={"kid": ring().signing_kid}
    )


def with_foreign_key_under_our_name() -> str:
    return sign(claims(), key=ed25519.Ed25519PrivateKey.generate())


def with_unknown_key() -> str:
    return sign(claims(), key=ed25519.Ed25519PrivateKey.generate(), kid="someone-else")


def with_its_own_key_in_the_header() -> str:
    key = ed25519.Ed25519PrivateKey.generate()
    x = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return sign(claims(), key=key, headers={"jwk": {"kty": "OKP", "crv": "Ed25519", "x": b64(x)}})


def without_kid() -> str:
    return jwt.encode(claims(), ring().signing, algorithm="EdDSA")


def with_wrong_claims(**other) -> str:
    return sign({key: value for key, value in claims(**other).items() if value is not None})


def with_changed_claims() -> str:
    header, payload, signature = sign(claims()).split(".")
    changed = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return f"{header}.{b64(json.dumps({**changed, 'sub': '2'}).encode())}.{signature}"


@pytest.mark.parametrize(
    "forge",
    [
        with_none,
        with_public_key_as_secret,
        with_secret_key,
        with_rsa,
        with_elliptic_curve,
        with_foreign_key_under_our_name,
        with_unknown_key,
        with_its_own_key_in_the_header,
        without_kid,
        with_changed_claims,
        lambda: with_wrong_claims(iss="https://elsewhere.example"),
        lambda: with_wrong_claims(iss=None),
        lambda: with_wrong_claims(exp=None),
        lambda: with_wrong_claims(exp=int(time.time()) - 1),
        lambda: with_wrong_claims(jti=None),
        lambda: with_wrong_claims(sub=None),
        lambda: with_wrong_claims(token_type="refresh"),
        lambda: with_wrong_claims(token_type=None),
        lambda: "",
        lambda: "a.b.c",
        lambda: "ž" * 50,
        lambda: str(RefreshToken()),
    ],
)
def test_nothing_else_is_read(forge):
    with pytest.raises(TokenError):
        AccessToken(forge())


def test_claims_are_never_read_without_their_signature():
    with pytest.raises(TokenError):
        AccessToken(with_foreign_key_under_our_name(), verify=False)


def test_after_a_change_of_keys_tokens_of_the_old_one_live_on(settings):
    old, new = ed25519.Ed25519PrivateKey.generate(), ed25519.Ed25519PrivateKey.generate()
    settings.JWT_SIGNING_KEY = private_pem(old)
    before = sign(claims())
    settings.JWT_SIGNING_KEY, settings.JWT_PREVIOUS_KEYS = private_pem(new), public_pem(old)
    assert AccessToken(before).payload["sub"] == "1"
    assert jwt.get_unverified_header(str(RefreshToken()))["kid"] == tokens.ring().signing_kid
    settings.JWT_PREVIOUS_KEYS = ""
    with pytest.raises(TokenError):
        AccessToken(before)
