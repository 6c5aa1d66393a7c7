"""Sign in and out."""

from django.http import HttpRequest, HttpResponse


def locked_out(request: HttpRequest, credentials: dict[str, str]) -> HttpResponse:
    return HttpResponse(status=429)
