import io
import json
import logging
import logging.config

import pytest
import structlog

from apps.core.logging import logging_config, mask_text, mask_value


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("called +12025550123", "called +12•••••••23"),
        ("called +1 (202) 555-0123.", "called +12•••••••23."),
        ("To=%2B420601234567&From=x", "To=+42••••••••67&From=x"),
        ("wrote to jana.novakova@example.co.uk", "wrote to j…@example.co.uk"),
        ("Authorization: Bearer abc.def-123456", "Authorization: Bearer [hidden]"),
        ("got eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2ln", "got [hidden]"),
        ("key sk-proj-abcdef0123456789", "key [hidden]"),
        ("redis://:hunter2@127.0.0.1:6379/0", "redis://:[hidden]@127.0.0.1:6379/0"),
        ("postgresql://me:hunter2@db/x", "postgresql://me:[hidden]@db/x"),
        ("GET /hooks/twilio/answer/kJ3-x_9aaaaaaaaaaaaaaaaaaaaaaaaa?x=1", "GET /hooks/twilio/answer/[hidden]?x=1"),
        ("/media/twilio/kJ3-x_9aaaaaaaaaaaaaaaaaaaaaaaaa", "/media/twilio/[hidden]"),
    ],
)
def test_people_and_secrets_are_masked_in_any_text(text, masked):
    assert mask_text(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "leg_answered",
        "CA0123456789abcdef0123456789abcdef",
        "2026-11-22T10:00:00+01:00",
        "1 + 2 = 3",
        "/campaigns/12/people/",
        "took 1234567890 ns",
        "tasks: 5 tokens",
    ],
)
def test_what_tells_nothing_about_anybody_stays(text):
    assert mask_text(text) == text


def test_secrets_are_known_by_their_name_however_deep():
    masked = mask_value({"headers": {"Authorization": "x", "Set-Cookie": ["y"]}, "n_tokens": 5, "JWT_SIGNING_KEY": "z"})
    assert masked == {
        "headers": {"Authorization": "[hidden]", "Set-Cookie": "[hidden]"},
        "n_tokens": 5,
        "JWT_SIGNING_KEY": "[hidden]",
    }


@pytest.fixture
def lines():
    """Records written through the product's own configuration, read back."""
    config = logging_config(level="INFO")
    stream = io.StringIO()
    config["handlers"]["stdout"] = {"class": "logging.StreamHandler", "stream": stream, "formatter": "json"}
    logging.config.dictConfig(config)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    from django.conf import settings

    logging.config.dictConfig(settings.LOGGING)


def test_a_record_is_one_json_line_with_its_context(lines):
    with structlog.contextvars.bound_contextvars(request_id="abc"):
        structlog.get_logger("apps.test").info("leg_answered", leg_id=7, to="+12025550123")
    (line,) = lines()
    assert line["event"] == "leg_answered"
    assert (line["leg_id"], line["to"], line["request_id"]) == (7, "+12•••••••23", "abc")
    assert (line["level"], line["logger"]) == ("info", "apps.test")
    assert line["timestamp"].endswith("Z")


def test_records_of_libraries_and_tracebacks_are_masked_too(lines):
    def dial(number: str) -> None:
        raise ValueError(f"cannot dial {number}")

    try:
        dial("+12025550123")
    except ValueError:
        logging.getLogger("twilio.http").exception("request for %s failed", "+12025550123")
    (line,) = lines()
    assert "2025550" not in json.dumps(line)
    assert "ValueError: cannot dial +12" in line["exception"]


def test_routine_noise_of_libraries_is_left_out(lines):
    for name in ("axes.handlers", "celery.app.trace", "uvicorn.access", "django.request"):
        logging.getLogger(name).info("noise")
    assert lines() == []
