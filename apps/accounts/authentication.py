"""API tokens at the door: signature, life, deny-list, and whether the person may still come in."""

from django.utils.translation import gettext as _
from drf_spectacular.contrib.rest_framework_simplejwt import SimpleJWTScheme
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import AuthenticationFailed
from rest_framework_simplejwt.tokens import Token

from apps.accounts import denylist
from apps.accounts.models import User
from apps.accounts.tokens import FAMILY_CLAIM, STAMP_CLAIM, stamp_is_current


class TokenAuthentication(JWTAuthentication):
    """``Authorization: Bearer <access token>``. A role, password or is_active changed a moment ago counts already."""

    def get_user(self, validated_token: Token) -> User:  # type: ignore[override]  # theirs names a bare type variable
        if denylist.is_revoked(validated_token["jti"], str(validated_token.get(FAMILY_CLAIM))):
            raise AuthenticationFailed(_("The token has been revoked."), code="token_not_valid")
        user = super().get_user(validated_token)
        if not isinstance(user, User) or not stamp_is_current(user, validated_token.get(STAMP_CLAIM)):
            raise AuthenticationFailed(_("The token has been revoked."), code="token_not_valid")
        return user


class TokenScheme(SimpleJWTScheme):  # type: ignore[no-untyped-call]  # registers itself for the OpenAPI description
    target_class = "apps.accounts.authentication.TokenAuthentication"
    name = "token"
