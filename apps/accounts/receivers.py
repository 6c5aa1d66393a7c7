"""Log-ins told once, to the log and to the metrics."""

from typing import Any

import structlog
from axes.signals import user_locked_out
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.http import HttpRequest

from apps.core.api import wants_json
from apps.core.client import client_ip
from apps.core.metrics import LOGINS

log = structlog.get_logger(__name__)


def connect() -> None:
    """Subscribe to Django's and axes' signals; called once when the apps are ready."""
    user_logged_in.connect(_logged_in, dispatch_uid="accounts")
    user_logged_out.connect(_logged_out, dispatch_uid="accounts")
    user_login_failed.connect(_failed, dispatch_uid="accounts")
    user_locked_out.connect(_locked_out, dispatch_uid="accounts")


def _logged_in(request: HttpRequest, user: Any, **kwargs: Any) -> None:
    LOGINS.labels(_way(request), "ok").inc()
    log.info("user_logged_in", user_id=user.pk)


def _logged_out(request: HttpRequest, user: Any, **kwargs: Any) -> None:
    log.info("user_logged_out", user_id=getattr(user, "pk", None))


def _failed(request: HttpRequest | None = None, **kwargs: Any) -> None:
    """The name that was typed is not written down: people type passwords into that field."""
    LOGINS.labels(_way(request), "failed").inc()
    log.warning("login_failed", ip=client_ip(request) if request else None)


def _locked_out(request: HttpRequest, ip_address: str, **kwargs: Any) -> None:
    LOGINS.labels(_way(request), "locked_out").inc()
    log.warning("login_locked_out", ip=ip_address)


def _way(request: HttpRequest | None) -> str:
    return "api" if request is not None and wants_json(request) else "page"
