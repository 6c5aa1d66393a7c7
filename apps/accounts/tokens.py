"""API tokens: JWT signed with Ed25519, the key's id in the header.

The algorithm is ours, never the token's: only EdDSA is read, and only with a key that the ring holds under the ``kid``.
"""

from datetime import timedelta
from functools import cache
from typing import Any

import jwt
from django.conf import settings
from django.core.signals import setting_changed
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext_lazy as _
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenBackendError, TokenBackendExpiredToken
from rest_framework_simplejwt.tokens import AccessToken as BaseAccessToken
from rest_framework_simplejwt.tokens import RefreshToken as BaseRefreshToken

from apps.accounts.keys import KeyRing, key_ring
from apps.accounts.models import User

ALGORITHM = "EdDSA"
FAMILY_CLAIM = "fam"  # which log-in a token descends from
STAMP_CLAIM = "stp"  # what ends with the password, see User.get_session_auth_hash


@cache
def ring() -> KeyRing:
    """The keys of this installation, read once per process."""
    return key_ring(settings.JWT_SIGNING_KEY, settings.JWT_PREVIOUS_KEYS)


def _forget_ring(*, setting: str, **kwargs: Any) -> None:
    if setting in {"JWT_SIGNING_KEY", "JWT_PREVIOUS_KEYS"}:
        ring.cache_clear()


setting_changed.connect(_forget_ring)


class KeyedBackend(TokenBackend):
    """simplejwt's backend with several keys, told apart by ``kid``."""

    def __init__(self) -> None:
        super().__init__(ALGORITHM, issuer=settings.PUBLIC_ORIGIN)

    def encode(self, payload: dict[str, Any]) -> str:
        keys = ring()
        claims = {**payload, "iss": self.issuer}
        return jwt.encode(claims, keys.signing, algorithm=ALGORITHM, headers={"kid": keys.signing_kid})

    def decode(self, token: Any, verify: bool = True) -> dict[str, Any]:
        """The claims. verify False is refused: nobody here has a use for claims nobody vouches for."""
        if not verify:
            raise TokenBackendError(_("The token is not valid."))
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            key = ring().public.get(kid) if isinstance(kid, str) else None
            if key is None:
                raise TokenBackendError(_("The token is signed with an unknown key."))
            required = ["exp", "iat", "iss", "jti", "sub"]
            claims: dict[str, Any] = jwt.decode(
                token, key, algorithms=[ALGORITHM], issuer=self.issuer, options={"require": required}
            )
        except jwt.ExpiredSignatureError as error:
            raise TokenBackendExpiredToken(_("The token has expired.")) from error
        except (jwt.InvalidTokenError, ValueError) as error:
            raise TokenBackendError(_("The token is not valid.")) from error
        return claims


_backend = KeyedBackend()


class AccessToken(BaseAccessToken):
    lifetime: timedelta = timedelta(minutes=settings.JWT_ACCESS_MINUTES)

    def get_token_backend(self) -> TokenBackend:
        return _backend


class RefreshToken(BaseRefreshToken):
    access_token_class = AccessToken

    def get_token_backend(self) -> TokenBackend:
        return _backend


def stamp_is_current(user: User, stamp: object) -> bool:
    """Whether a token's stamp is still that of its user: same password, not signed out everywhere since."""
    return isinstance(stamp, str) and any(
        constant_time_compare(stamp, valid)
        for valid in (user.get_session_auth_hash(), *user.get_session_auth_fallback_hash())
    )
