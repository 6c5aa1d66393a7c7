import re
import threading

import pytest
import structlog
from django.db import connection
from django.http import HttpResponse
from django.test import RequestFactory
from structlog.testing import capture_logs

from apps.core.middleware import ProbeMiddleware, RequestIdMiddleware


def ask(path="/x/", *, answer=None, **headers):
    seen = {}

    def view(request):
        seen.update(structlog.contextvars.get_contextvars())
        return answer or HttpResponse("ok")

    with capture_logs() as logs:
        response = RequestIdMiddleware(view)(RequestFactory().get(path, headers=headers))
    return response, seen, logs


def test_a_caller_s_id_is_kept_and_returned():
    response, seen, _logs = ask(**{"X-Request-ID": "job-42.a"})
    assert response["X-Request-ID"] == seen["request_id"] == "job-42.a"


@pytest.mark.parametrize("given", ["", "with space", "x" * 65, 'a"b', "ž"])
def test_an_id_that_could_do_harm_is_replaced(given):
    response, seen, _logs = ask(**{"X-Request-ID": given})
    assert re.fullmatch("[0-9a-f]{32}", response["X-Request-ID"])
    assert seen["request_id"] == response["X-Request-ID"]


def test_one_line_tells_what_became_of_a_request():
    _response, _seen, (line,) = ask(answer=HttpResponse(status=404))
    assert line["event"] == "request_finished"
    assert (line["method"], line["status"], line["log_level"]) == ("GET", 404, "info")
    assert line["ms"] >= 0
    assert "path" not in line


def test_files_and_scrapes_do_not_fill_the_log():
    assert ask("/static/css/base.css")[2][0]["log_level"] == "debug"
    assert ask("/static/missing.css", answer=HttpResponse(status=404))[2][0]["log_level"] == "info"


def test_the_line_names_route_and_person(client, alice):
    client.force_login(alice, backend="apps.accounts.backends.RoleBackend")
    with capture_logs() as logs:
        client.get("/api/v1/auth/me/")
    line = next(line for line in logs if line["event"] == "request_finished")
    assert line["route"] == "api/v1/auth/me/"
    assert line["user_id"] == alice.pk


@pytest.mark.django_db(transaction=True)
def test_requests_that_are_cut_off_leave_the_pool_as_it_was(settings):
    """A server that gives a request up never tells Django of its end: more of them than the pool has connections."""
    pool = settings.DATABASES["default"]["OPTIONS"]["pool"]
    answers = []

    def view(request):
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return HttpResponse()

    def serve() -> None:
        answers.append(ProbeMiddleware(view)(RequestFactory().get("/")))

    for _n in range(pool["max_size"] + 3):
        thread = threading.Thread(target=serve)
        thread.start()
        thread.join(10)
    assert len(answers) == pool["max_size"] + 3
