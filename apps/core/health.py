"""/healthz (alive), /readyz (fit to serve), /metrics."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django_prometheus.exports import ExportToDjangoView


def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok", content_type="text/plain")


def readyz(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"ready": True})


def metrics(request: HttpRequest) -> HttpResponse:
    return ExportToDjangoView(request)
