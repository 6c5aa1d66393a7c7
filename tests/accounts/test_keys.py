import base64
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from apps.accounts.keys import BadKey, key_ring, thumbprint

NO_PASSWORD = serialization.NoEncryption()


def private_pem(key) -> str:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, NO_PASSWORD).decode()


def public_pem(key) -> str:
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def test_thumbprint_is_that_of_rfc_8037():
    """RFC 8037, appendix A.3."""
    x = base64.urlsafe_b64decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
    key = ed25519.Ed25519PublicKey.from_public_bytes(x)
    assert thumbprint(key) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_the_ring_signs_with_the_new_key_and_knows_the_old_ones():
    new, old, older = (ed25519.Ed25519PrivateKey.generate() for _ in range(3))
    ring = key_ring(private_pem(new), public_pem(old) + "\n" + public_pem(older))
    kids = [thumbprint(key.public_key()) for key in (new, old, older)]
    assert ring.signing_kid == kids[0]
    assert [jwk["kid"] for jwk in ring.jwks()] == kids


def test_published_keys_hold_no_private_part():
    key = ed25519.Ed25519PrivateKey.generate()
    (jwk,) = key_ring(private_pem(key), "").jwks()
    raw = key.private_bytes(serialization.Encoding.Raw, serialization.PrivateFormat.Raw, NO_PASSWORD)
    assert set(jwk) == {"kty", "crv", "x", "kid", "alg", "use"}
    assert base64.urlsafe_b64encode(raw).rstrip(b"=").decode() not in json.dumps(jwk)


@pytest.mark.parametrize(
    "pem",
    [
        "",
        "not a key",
        public_pem(ed25519.Ed25519PrivateKey.generate()),
        private_pem(rsa.generate_private_key(65537, 2048)),
        private_pem(ec.generate_private_key(ec.SECP256R1())),
        private_pem(ed448.Ed448PrivateKey.generate()),
    ],
)
def test_anything_but_an_ed25519_private_key_is_refused(pem):
    with pytest.raises(BadKey) as refused:
        key_ring(pem, "")
    assert "BEGIN" not in str(refused.value)


@pytest.mark.parametrize(
    "pems",
    [
        "kid: 1",
        public_pem(rsa.generate_private_key(65537, 2048)),
        private_pem(ed25519.Ed25519PrivateKey.generate()),
    ],
)
def test_previous_keys_must_be_public_and_ed25519(pems):
    with pytest.raises(BadKey):
        key_ring(private_pem(ed25519.Ed25519PrivateKey.generate()), pems)
