"""What is shown when something goes wrong outside a view's own care: a page, or the API's error shape."""

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.views.decorators.csrf import requires_csrf_token

from apps.core.api import error_response, wants_json


@requires_csrf_token
def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 400, "bad_request", _("The request was not understood."), "400.html")


@requires_csrf_token
def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 403, "permission_denied", _("You are not allowed to do this."), "403.html")


@requires_csrf_token
def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 404, "not_found", _("There is nothing here."), "404.html")


@requires_csrf_token
def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return _answer(request, 403, "csrf_failed", _("The form has expired. Reload the page."), "403_csrf.html")


@requires_csrf_token
def server_error(request: HttpRequest) -> HttpResponse:
    """Drawn without request, user or database: whatever failed may be one of them."""
    if wants_json(request):
        return error_response("server_error", _("Something went wrong on our side. It was written down."), status=500)
    return HttpResponse(render_to_string("500.html"), status=500)


def _answer(request: HttpRequest, status: int, code: str, message: str, template: str) -> HttpResponse:
    if wants_json(request):
        return error_response(code, message, status=status)
    return HttpResponse(render_to_string(template, request=request), status=status)
