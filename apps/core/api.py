"""One error shape and one pagination for the whole API."""

from rest_framework.pagination import PageNumberPagination
from rest_framework.response import Response
from rest_framework.views import exception_handler as drf_exception_handler

from apps.core.errors import DomainError


class Pagination(PageNumberPagination):
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500


def exception_handler(exc: Exception, context: dict[str, object]) -> Response | None:
    """``{"error": {"code", "message", "detail"}}`` for everything that is not a success."""
    if isinstance(exc, DomainError):
        error = {"code": exc.code, "message": str(exc), "detail": exc.detail}
        return Response({"error": error}, status=exc.status)
    return drf_exception_handler(exc, context)
