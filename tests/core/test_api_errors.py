"""One error shape, whatever goes wrong."""

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import IntegrityError
from django.http import Http404
from django.test import RequestFactory
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.throttling import AnonRateThrottle
from rest_framework.views import APIView

from apps.core import error_pages
from apps.core.errors import DomainError


class Boom(APIView):
    authentication_classes = ()
    permission_classes = ()
    fault: Exception | None = None

    def get(self, request):
        if self.fault is not None:
            raise self.fault
        return Response({"ok": True})


class LineBusy(DomainError):
    code = "line_busy"
    status = 409


def ask(fault):
    response = Boom.as_view(fault=fault)(RequestFactory().get("/api/v1/x/"))
    response.render()
    return response


@pytest.mark.parametrize(
    ("fault", "status", "code", "detail"),
    [
        (LineBusy("The line is busy.", detail={"until": "noon"}), 409, "line_busy", {"until": "noon"}),
        (exceptions.ValidationError({"name": ["Too long."]}), 400, "invalid", {"name": ["Too long."]}),
        (exceptions.ValidationError(["Odd."]), 400, "invalid", {"non_field_errors": ["Odd."]}),
        (exceptions.ParseError(), 400, "parse_error", {}),
        (exceptions.NotAuthenticated(), 403, "not_authenticated", {}),
        (exceptions.PermissionDenied(), 403, "permission_denied", {}),
        (PermissionDenied(), 403, "permission_denied", {}),
        (Http404(), 404, "not_found", {}),
        (exceptions.MethodNotAllowed("GET"), 405, "method_not_allowed", {}),
        (exceptions.UnsupportedMediaType("text/x"), 415, "unsupported_media_type", {}),
        (exceptions.Throttled(wait=12.2), 429, "throttled", {"retry_after_s": 13}),
        (IntegrityError("duplicate key value"), 409, "conflict", {}),
    ],
)
def test_every_expected_failure_has_the_same_shape(fault, status, code, detail):
    response = ask(fault)
    assert response.status_code == status
    error = response.data["error"]
    assert (error["code"], error["detail"]) == (code, detail)
    assert isinstance(error["message"], str)
    assert error["message"]
    assert "duplicate key" not in error["message"]


def test_what_nobody_expected_goes_on_to_the_log():
    with pytest.raises(ZeroDivisionError):
        ask(ZeroDivisionError())


@pytest.mark.parametrize(
    ("view", "status", "code", "template"),
    [
        (error_pages.bad_request, 400, "bad_request", "400.html"),
        (error_pages.permission_denied, 403, "permission_denied", "403.html"),
        (error_pages.page_not_found, 404, "not_found", "404.html"),
    ],
)
@pytest.mark.django_db
def test_errors_outside_the_framework_too(view, status, code, template, rf, bob):
    request = rf.get("/api/v1/nothing/")
    response = view(request, SuspiciousOperation())
    assert response.status_code == status
    assert f'"code": "{code}"' in response.content.decode()
    page_request = rf.get("/nothing/")
    page_request.user = bob
    page = view(page_request, SuspiciousOperation())
    assert page.status_code == status
    assert page["Content-Type"].startswith("text/html")


def test_an_error_of_our_own_is_json_for_programs_and_a_page_for_people(client, monkeypatch):
    from apps.accounts.api import views

    def fail():
        raise ZeroDivisionError

    client.raise_request_exception = False
    monkeypatch.setattr(views, "ring", fail)
    response = client.get("/api/jwks.json")
    assert response.status_code == 500
    assert response.json()["error"]["code"] == "server_error"
    monkeypatch.setattr("apps.accounts.views.demo_people", fail)
    page = client.get("/accounts/login/")
    assert page.status_code == 500
    assert page["Content-Type"].startswith("text/html")


@pytest.mark.django_db
def test_unknown_addresses_broken_bodies_and_wrong_methods(admin):
    api = APIClient()
    api.force_authenticate(admin)
    assert api.get("/api/v1/nothing/").json()["error"]["code"] == "not_found"
    broken = api.post("/api/v1/contact-lists/", "{", content_type="application/json")
    assert (broken.status_code, broken.json()["error"]["code"]) == (400, "parse_error")
    wrong = api.put("/api/v1/auth/me/")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (405, "method_not_allowed")
    form = api.post("/api/v1/contact-lists/", "a=1", content_type="text/csv")
    assert (form.status_code, form.json()["error"]["code"]) == (415, "unsupported_media_type")
    null = api.get("/api/v1/contacts/?search=%00")
    assert (null.status_code, null.json()["error"]["code"]) == (400, "invalid")


@pytest.mark.django_db
def test_too_many_requests_are_told_to_wait(monkeypatch):
    monkeypatch.setattr(AnonRateThrottle, "THROTTLE_RATES", {"anon": "2/min"})
    api = APIClient(REMOTE_ADDR="198.51.100.7")
    for _request in range(2):
        assert api.get("/api/jwks.json").status_code == 200
    # A made-up chain of proxies makes nobody another person.
    response = api.get("/api/jwks.json", headers={"X-Forwarded-For": "10.0.0.9"})
    assert response.status_code == 429
    assert response.json()["error"]["code"] == "throttled"
    assert int(response["Retry-After"]) > 0


@pytest.mark.django_db
def test_messages_come_in_the_language_asked_for(client):
    response = client.get("/api/v1/auth/me/", headers={"accept-language": "es"})
    assert response["Content-Language"] == "es"
