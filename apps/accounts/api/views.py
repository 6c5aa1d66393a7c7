"""API log-in with Ed25519-signed tokens, and who one is."""

from typing import Any, cast

from django.contrib.auth import authenticate
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import ScopedRateThrottle
from rest_framework.views import APIView

from apps.accounts import services
from apps.accounts.api.serializers import (
    CredentialsSerializer,
    MeSerializer,
    RefreshSerializer,
    RevokeSerializer,
    TokenPairSerializer,
)
from apps.accounts.models import User
from apps.accounts.roles import Permission
from apps.accounts.tokens import ring
from apps.core.errors import DomainError


class WrongCredentials(DomainError):
    """No such person, wrong password or a deactivated account: which of them is not told."""

    code = "wrong_credentials"
    status = 401


class _TokenView(APIView):
    """Open to all by nature: a token is what one comes for."""

    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]
    throttle_classes = [ScopedRateThrottle]
    throttle_scope = "login"


class TokenView(_TokenView):
    @extend_schema(operation_id="token_obtain", request=CredentialsSerializer, responses=TokenPairSerializer, auth=[])
    def post(self, request: Request) -> Response:
        """Log in. Several wrong passwords close the way for a while: 429 with Retry-After."""
        credentials = CredentialsSerializer(data=request.data)
        credentials.is_valid(raise_exception=True)
        # The bare request, since the lock-out's middleware looks for its mark there.
        user = authenticate(request._request, **credentials.validated_data)
        if not isinstance(user, User):
            raise WrongCredentials(_("User name and password do not match, or the account is closed."))
        return _no_store(TokenPairSerializer(services.issue_tokens(user)).data)


class RefreshView(_TokenView):
    @extend_schema(operation_id="token_refresh", request=RefreshSerializer, responses=TokenPairSerializer, auth=[])
    def post(self, request: Request) -> Response:
        """A new pair for a refresh token, which is good once: used again, it ends the whole log-in."""
        data = RefreshSerializer(data=request.data)
        data.is_valid(raise_exception=True)
        return _no_store(TokenPairSerializer(services.renew_tokens(data.validated_data["refresh"])).data)


class RevokeView(_TokenView):
    @extend_schema(
        operation_id="token_revoke",
        request=RevokeSerializer,
        responses={204: OpenApiResponse(description="Revoked, or nothing that needed it.")},
        auth=[],
    )
    def post(self, request: Request) -> Response:
        """Log out. A refresh token ends its log-in with all access tokens of it; an access token ends itself."""
        data = RevokeSerializer(data=request.data)
        data.is_valid(raise_exception=True)
        services.revoke_token(data.validated_data["token"])
        return Response(status=status.HTTP_204_NO_CONTENT)


class MeView(APIView):
    permission = Permission.API_USE

    @extend_schema(operation_id="me", responses=MeSerializer)
    def get(self, request: Request) -> Response:
        """Who is asking, and what they may do."""
        return Response(MeSerializer(cast(User, request.user)).data)


class JwksView(APIView):
    """Public keys for those who check our tokens themselves."""

    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        return Response({"keys": ring().jwks()}, headers={"Cache-Control": "public, max-age=300"})


def _no_store(data: Any) -> Response:
    return Response(data, headers={"Cache-Control": "no-store"})
