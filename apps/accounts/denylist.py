"""Which tokens are revoked: kept in Redis for speed, in a table for certainty.

A revocation is a row first and a Redis key second. Redis may forget (a restart without its last second of log, an
empty new server, a replica in its place): each shows as another ``run_id`` than the one under which the list was last
filled, and then it is filled again from the table before anyone is let in. While Redis cannot be asked, the table is.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import cast

import structlog
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_redis import get_redis_connection
from redis import Redis
from redis.exceptions import RedisError

from apps.accounts.models import RevokedToken
from apps.core.errors import DomainError

log = structlog.get_logger(__name__)

_KEY = "cc:revoked:{jti}"
_FILLED_KEY = "cc:revoked-filled-for"


class RevocationNotKept(DomainError):
    """Redis did not take the entry, so a token might still pass elsewhere; nothing was written, ask again."""

    code = "try_again"
    status = 503


def revoke(jtis: Iterable[str], *, until: datetime) -> None:
    """Refuse these from now on. until: when the last of them would have expired anyway. Repeating it does no harm.

    Raises RevocationNotKept.
    """
    wanted = list(jtis)
    try:
        with transaction.atomic():
            RevokedToken.objects.bulk_create(
                [RevokedToken(jti=jti, expires_at=until) for jti in wanted], ignore_conflicts=True
            )
            _write(_redis(), {jti: until for jti in wanted})
    except RedisError as error:
        log.error("revocation_not_kept", exc_info=True)
        raise RevocationNotKept(_("The token could not be revoked just now. Try again in a moment.")) from error


def is_revoked(*jtis: str) -> bool:
    """Whether any of them is. One round trip to Redis; the table where Redis cannot answer."""
    try:
        connection = _redis()
        pipe = connection.pipeline(transaction=False)
        pipe.info("server")
        pipe.mget([_FILLED_KEY, *(_KEY.format(jti=jti) for jti in jtis)])
        server, (filled_for, *entries) = pipe.execute()
        run_id = str(server["run_id"])
        if filled_for is None or filled_for.decode() != run_id:
            refill(connection, run_id)
            entries = cast("list[bytes | None]", connection.mget([_KEY.format(jti=jti) for jti in jtis]))
    except RedisError:
        log.warning("revocations_read_from_table", exc_info=True)
        return RevokedToken.objects.filter(jti__in=jtis, expires_at__gt=timezone.now()).exists()
    return any(entry is not None for entry in entries)


def refill(connection: Redis, run_id: str) -> None:
    """Copy the table's living rows into Redis, then say so."""
    rows = RevokedToken.objects.filter(expires_at__gt=timezone.now()).values_list("jti", "expires_at")
    entries = dict(rows.iterator(chunk_size=5000))
    _write(connection, entries)
    connection.set(_FILLED_KEY, run_id)
    log.info("revocations_refilled", n=len(entries))


def _write(connection: Redis, entries: dict[str, datetime]) -> None:
    pipe = connection.pipeline(transaction=False)
    for jti, until in entries.items():
        if until > timezone.now():
            pipe.set(_KEY.format(jti=jti), 1, exat=int(until.timestamp()) + 1)
    pipe.execute()


def _redis() -> Redis:
    return cast("Redis", get_redis_connection("default"))
