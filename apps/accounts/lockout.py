"""Too many wrong passwords: what the visitor and django-axes are told."""

from datetime import datetime

from axes.helpers import get_client_username
from axes.models import AccessAttempt
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.core.client import client_ip


def retry_at(*, username: str, ip_address: str) -> datetime:
    """When the next attempt is let through."""
    latest = (
        AccessAttempt.objects.filter(username=username, ip_address=ip_address)
        .order_by("-attempt_time")
        .values_list("attempt_time", flat=True)
        .first()
    )
    return (latest or timezone.now()) + settings.AXES_COOLOFF_TIME


def locked_out(
    request: HttpRequest, response: HttpResponse | None = None, credentials: dict[str, str] | None = None
) -> HttpResponse:
    """The answer to a locked-out visitor: when to come back, as a page or in the API's error shape."""
    known = getattr(request, "axes_credentials", None) or credentials or {}
    until = retry_at(username=get_client_username(request, known) or "", ip_address=client_ip(request))
    wait_s = max(1, round((until - timezone.now()).total_seconds()))
    message = _("Too many wrong passwords. Try again later.")
    answer: HttpResponse
    if request.path.startswith("/api/"):
        error = {"code": "locked_out", "message": message, "detail": {"retry_at": until.isoformat()}}
        answer = JsonResponse({"error": error}, status=429)
    else:
        context = {"retry_at": until, "minutes": -(-wait_s // 60)}
        answer = render(request, "accounts/locked_out.html", context, status=429)
    answer["Retry-After"] = str(wait_s)
    answer["Cache-Control"] = "no-store"
    return answer
