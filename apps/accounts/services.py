"""What happens to a person's log-ins: API tokens issued, renewed and revoked, everything ended at once."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

import structlog
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework_simplejwt.exceptions import TokenError

from apps.accounts import denylist
from apps.accounts.models import Language, RevokedToken, Theme, TokenFamily, User
from apps.accounts.tokens import FAMILY_CLAIM, STAMP_CLAIM, AccessToken, RefreshToken, stamp_is_current
from apps.core.errors import DomainError

log = structlog.get_logger(__name__)


class TokenRefused(DomainError):
    """The token is forged, expired, revoked, or a refresh token that was used before."""

    code = "token_not_valid"
    status = 401


@dataclass(frozen=True, slots=True)
class TokenPair:
    """Encoded tokens and the seconds for which the access token is good."""

    access: str
    refresh: str
    expires_in: int


@transaction.atomic
def issue_tokens(user: User) -> TokenPair:
    """Begin an API log-in. The caller has checked the password."""
    User.objects.filter(pk=user.pk).update(last_login=timezone.now())
    refresh = _refresh_token(user, family_id=uuid.uuid4())
    TokenFamily.objects.create(
        pk=uuid.UUID(hex=refresh[FAMILY_CLAIM]),
        user=user,
        refresh_jti=refresh["jti"],
        expires_at=datetime.fromtimestamp(refresh["exp"], tz=timezone.get_default_timezone()),
    )
    return _pair(refresh)


def renew_tokens(encoded: str) -> TokenPair:
    """Exchange a refresh token for a new pair; it is good for one use.

    Used a second time it ends the whole log-in: somebody else may hold the newer one. Raises TokenRefused.
    """
    token = _read_refresh(encoded)
    with transaction.atomic():
        family = _family_of(token, lock=True)
        is_usable = family is not None and family.revoked_at is None and family.user.is_active
        is_reused = family is not None and family.refresh_jti != token["jti"]
        if family is not None and is_usable and not is_reused and stamp_is_current(family.user, token.get(STAMP_CLAIM)):
            fresh = _refresh_token(family.user, family_id=family.pk)
            family.refresh_jti = fresh["jti"]
            family.refreshed_at = timezone.now()
            family.expires_at = datetime.fromtimestamp(fresh["exp"], tz=timezone.get_default_timezone())
            family.save(update_fields=["refresh_jti", "refreshed_at", "expires_at"])
            return _pair(fresh)
    if family is not None and is_reused and family.revoked_at is None:
        log.warning("refresh_token_reused", user_id=family.user_id, family_id=family.pk.hex)
        end_family(family)
    raise TokenRefused(_("The refresh token is not valid. Log in again."))


def revoke_token(encoded: str) -> None:
    """Log out with either token: a refresh token ends its whole log-in, an access token only itself.

    One that is expired, forged or unknown is nothing to revoke, and no error (RFC 7009).
    """
    try:
        refresh = RefreshToken(encoded)  # type: ignore[arg-type]  # simplejwt says Token, means its encoded form
    except TokenError:
        pass
    else:
        family = _family_of(refresh, lock=False)
        if family is not None:
            end_family(family)
        return
    try:
        access = AccessToken(encoded)  # type: ignore[arg-type]  # as above
    except TokenError:
        return
    denylist.revoke([access["jti"]], until=datetime.fromtimestamp(access["exp"], tz=timezone.get_default_timezone()))


def end_family(family: TokenFamily) -> None:
    """End one API log-in, with the access tokens it gave out."""
    denylist.revoke([family.pk.hex], until=timezone.now() + AccessToken.lifetime)
    TokenFamily.objects.filter(pk=family.pk, revoked_at=None).update(revoked_at=timezone.now())


@transaction.atomic
def sign_out_everywhere(user: User) -> None:
    """End all sessions and API tokens of a person, from their next request on."""
    User.objects.filter(pk=user.pk).update(token_version=F("token_version") + 1)
    TokenFamily.objects.filter(user=user, revoked_at=None).update(revoked_at=timezone.now())
    user.refresh_from_db(fields=["token_version"])


def choose_language(user: User, language: str) -> None:
    """language: a code of Language; anything else is ignored, as Django's own view does."""
    if language in Language.values:
        User.objects.filter(pk=user.pk).update(language=language)


def choose_theme(user: User, theme: str) -> None:
    """theme: a value of Theme; anything else is ignored."""
    if theme in Theme.values:
        User.objects.filter(pk=user.pk).update(theme=theme)


def purge_expired(*, now: datetime) -> None:
    """Forget sessions and tokens that have run out. Ended log-ins stay for a month, for those who ask what happened."""
    RevokedToken.objects.filter(expires_at__lt=now).delete()
    month_ago = now - timedelta(days=30)
    TokenFamily.objects.filter(Q(expires_at__lt=month_ago) | Q(revoked_at__lt=month_ago)).delete()
    Session.objects.filter(expire_date__lt=now).delete()


def _read_refresh(encoded: str) -> RefreshToken:
    try:
        return RefreshToken(encoded)  # type: ignore[arg-type]  # simplejwt says Token, means its encoded form
    except TokenError as error:
        raise TokenRefused(_("The refresh token is not valid. Log in again.")) from error


def _family_of(token: RefreshToken, *, lock: bool) -> TokenFamily | None:
    families = TokenFamily.objects.select_related("user")
    if lock:
        families = families.select_for_update(of=("self",))
    return families.filter(pk=uuid.UUID(hex=token[FAMILY_CLAIM])).first()


def _refresh_token(user: User, *, family_id: uuid.UUID) -> RefreshToken:
    token = cast(RefreshToken, RefreshToken.for_user(user))
    token[FAMILY_CLAIM] = family_id.hex
    token[STAMP_CLAIM] = user.get_session_auth_hash()
    return token


def _pair(refresh: RefreshToken) -> TokenPair:
    lifetime_s = int(AccessToken.lifetime.total_seconds())
    return TokenPair(access=str(refresh.access_token), refresh=str(refresh), expires_in=lifetime_s)
