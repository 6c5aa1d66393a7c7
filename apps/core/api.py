"""One error shape and one pagination for the whole API."""

import math
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.db.models import ProtectedError
from django.http import Http404, HttpRequest, JsonResponse
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions
from rest_framework.pagination import PageNumberPagination
from rest_framework.response import Response
from rest_framework.views import exception_handler as drf_exception_handler

from apps.core.errors import DomainError

API_PREFIX = "/api/"


class Pagination(PageNumberPagination):
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500


class InUse(DomainError):
    """Something else still refers to it."""

    code = "in_use"
    status = 409


class Conflict(DomainError):
    """Somebody else was faster, or it exists already."""

    code = "conflict"
    status = 409


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """``{"error": {"code", "message", "detail"}}`` for everything that is not a success.

    code is stable, message is for people, detail is data: for ``invalid`` the fields with their messages. None for
    what nobody expected: that goes to the log and to error_pages.server_error, which answers in the same shape.
    """
    if isinstance(exc, ProtectedError):
        exc = InUse(_("It is still in use and cannot be deleted."))
    elif isinstance(exc, IntegrityError):
        exc = Conflict(_("This exists already, or was changed by somebody else at the same moment."))
    if isinstance(exc, DomainError):
        return Response(error_body(exc.code, str(exc), exc.detail), status=exc.status)
    response = drf_exception_handler(exc, context)
    if response is None:
        return None
    code, message, detail = _described(exc)
    response.data = error_body(code, message, detail)
    return response


def _described(exc: Exception) -> tuple[str, str, dict[str, Any]]:
    if isinstance(exc, Http404):
        exc = exceptions.NotFound()
    elif isinstance(exc, PermissionDenied):
        exc = exceptions.PermissionDenied()
    if isinstance(exc, exceptions.ValidationError):
        fields = exc.detail if isinstance(exc.detail, dict) else {"non_field_errors": exc.detail}
        return "invalid", str(_("The data is not valid.")), fields
    if isinstance(exc, exceptions.Throttled):
        wait: float | None = getattr(exc, "wait", None)  # the stubs do not know it
        wait_s = None if wait is None else math.ceil(wait)
        return "throttled", str(_("Too many requests. Wait a moment.")), {"retry_after_s": wait_s}
    if isinstance(exc, exceptions.APIException):
        detail: Any = exc.detail
        if isinstance(detail, dict):  # simplejwt: {"detail", "code", "messages"}
            return str(detail.get("code", exc.default_code)), str(detail.get("detail", exc.default_detail)), {}
        return str(getattr(detail, "code", exc.default_code)), str(detail), {}
    return "error", str(exc), {}


def error_body(code: str, message: str, detail: Any = None) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "detail": detail or {}}}


def wants_json(request: HttpRequest) -> bool:
    """Whether an error outside DRF still belongs to the API."""
    return request.path.startswith(API_PREFIX)


def error_response(code: str, message: str, *, status: int) -> JsonResponse:
    return JsonResponse(error_body(code, message), status=status)
