"""Who is at the other end of a request."""

from django.conf import settings
from django.http import HttpRequest


def client_ip(request: HttpRequest) -> str:
    """The address that our outermost proxy saw; without proxies, the peer. "" if nobody knows.

    Only the last TRUSTED_PROXIES entries of X-Forwarded-For are ours: everything before them anybody may have written.
    """
    n_proxies: int = settings.TRUSTED_PROXIES
    chain = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()]
    if n_proxies and chain:
        return chain[-min(n_proxies, len(chain))]
    return str(request.META.get("REMOTE_ADDR", ""))
