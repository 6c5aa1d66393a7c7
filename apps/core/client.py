"""Who is at the other end of a request."""

from django.conf import settings
from django.http import HttpRequest

from apps.core.addresses import is_listed, read_address


def client_ip(request: HttpRequest) -> str:
    """The address that our outermost proxy saw; without proxies, the peer. "" if nobody knows.

    Only the last TRUSTED_PROXIES entries of X-Forwarded-For are ours: everything before them anybody may have written.
    With TRUSTED_PROXY_IPS each of them must have been written from one of these networks: whoever gets round a proxy
    is taken for himself, whatever he writes.
    """
    ours: list[str] = settings.TRUSTED_PROXY_IPS
    chain = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()]
    chain.append(str(request.META.get("REMOTE_ADDR", "")))
    for _proxy in range(settings.TRUSTED_PROXIES):
        if len(chain) == 1 or (ours and not is_listed(read_address(chain[-1]), ours)):
            break
        chain.pop()
    return chain[-1]
