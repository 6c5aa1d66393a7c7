"""Whatever is sent to the webhooks, by whomever: no error of ours, no effect not meant, nobody kept waiting."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from urllib.parse import urlencode, urlsplit

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, example, given
from hypothesis import settings as effort
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from apps.calls.models import CallEvent, Leg
from apps.calls.states import LegState
from tests.calls.lines import free_port
from tests.factories.calls import make_leg, sid, signature, timestamp
from tests.factories.telnyx import as_body, control_id, event, other_key, signed

FEW = effort(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
TWILIO_HOOKS = ["answer", "status", "amd", "stream", "after-stream", "transferred", "recording"]
TELNYX_EVENTS = [
    "call.initiated",
    "call.answered",
    "call.hangup",
    "call.machine.detection.ended",
    "call.machine.premium.greeting.ended",
    "streaming.started",
    "streaming.failed",
    "call.recording.saved",
    "call.recording.error",
    "call.of.tomorrow",
]
TWILIO_FIELDS = [
    "CallStatus",
    "AnsweredBy",
    "SequenceNumber",
    "Timestamp",
    "SipResponseCode",
    "CallDuration",
    "StreamEvent",
    "StreamSid",
    "StreamError",
    "RecordingSid",
    "RecordingStatus",
    "RecordingStartTime",
    "RecordingDuration",
    "ErrorCode",
    "DialCallStatus",
    "DialCallSid",
    "MachineDetectionDuration",
    "CallSid",
    "To",
    "From",
]
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def n_errors() -> float:
    return REGISTRY.get_sample_value("callcentre_webhook_requests_refused_total", {"layer": "error"}) or 0.0


def everything() -> tuple:
    return list(Leg.objects.order_by("pk").values_list()), CallEvent.objects.count()


def path_of(carrier: str, leg: Leg, hook: str = "status") -> str:
    if carrier == "telnyx":
        return f"/hooks/telnyx/leg/{leg.token}"
    return f"/hooks/twilio/{hook}/{leg.token}" + ("/0" if hook == "after-stream" else "")


@pytest.fixture(params=["telnyx", "twilio"])
def name(request) -> str:
    return str(request.param)


@pytest.fixture
def leg(name) -> Leg:
    call_id = control_id() if name == "telnyx" else sid()
    return make_leg(LegState.QUEUED, carrier=name, carrier_call_id=call_id)


def genuine(name: str, leg: Leg, origin: str, *, key=None, secret: str | None = None, at: float | None = None):
    """The body, type and headers of news that the leg was answered."""
    if name == "telnyx":
        body = as_body(event("call.answered", call_control_id=leg.carrier_call_id))
        headers = signed(body, at=at, key=key) if key else signed(body, at=at)
        return body, "application/json", headers
    moment = timezone.now() if at is None else datetime.fromtimestamp(at, UTC)
    form = {"CallSid": leg.carrier_call_id, "CallStatus": "in-progress", "SequenceNumber": "2"}
    form["Timestamp"] = timestamp(moment)
    headers = {"X-Twilio-Signature": signature(origin + path_of(name, leg), form, secret)}
    return urlencode(form).encode(), "application/x-www-form-urlencoded", headers


# ── Strangers ───────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.django_db
@FEW
@given(
    body=st.binary(max_size=400) | anything.map(lambda data: json.dumps(data).encode()),
    content_type=st.sampled_from(
        ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", ""]
    ),
    words=st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=90), min_size=3, max_size=3),
)
def test_a_stranger_is_refused_whatever_he_says(client, name, leg, body, content_type, words):
    names = ["X-Twilio-Signature", "Telnyx-Signature-Ed25519", "Telnyx-Timestamp"]
    before, errors = everything(), n_errors()
    answer = client.post(
        path_of(name, leg), body, content_type=content_type, headers=dict(zip(names, words, strict=True))
    )
    assert answer.status_code in {403, 415}
    assert (everything(), n_errors()) == (before, errors)


@pytest.mark.django_db
@FEW
@given(token=st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=60))
def test_no_token_is_guessed(client, token):
    errors = n_errors()
    for path in (
        f"/hooks/telnyx/leg/{token}",
        f"/hooks/twilio/status/{token}",
        f"/hooks/twilio/after-stream/{token}/0",
    ):
        assert client.post(path, b"{}", content_type="application/json").status_code in {403, 404, 415}
    assert n_errors() == errors


@pytest.mark.django_db
@pytest.mark.parametrize("crime", ["forged", "stolen for another leg", "changed", "expired", "from the future", "none"])
def test_no_signature_but_the_carriers_own_for_this_and_now(client, settings, name, leg, crime):
    origin, hours = settings.PUBLIC_ORIGIN, 3600 * settings.WEBHOOK_MAX_AGE_HOURS
    headers: dict[str, str]
    path = path_of(name, leg)
    if crime == "forged":
        body, kind, headers = genuine(name, leg, origin, key=other_key(), secret="another")
    elif crime in {"expired", "from the future"}:
        body, kind, headers = genuine(name, leg, origin, at=time.time() + (hours if "future" in crime else -hours - 60))
    else:
        body, kind, headers = genuine(name, leg, origin)
    if crime == "stolen for another leg":
        other = make_leg(LegState.QUEUED, carrier=name, carrier_call_id=f"{leg.carrier_call_id}x")
        if name == "twilio":
            path = path_of(name, other)  # its URL is signed
        else:
            body = body.replace(leg.carrier_call_id.encode(), f"{leg.carrier_call_id}x".encode())  # its body is
    elif crime == "changed":
        body += b" " if name == "telnyx" else b"&CallDuration=9"
    elif crime == "none":
        headers = {}
    before = everything()
    assert client.post(path, body, content_type=kind, headers=headers).status_code == 403
    assert everything() == before


@pytest.mark.django_db
def test_a_genuine_one_is_believed_once(client, settings, name, leg):
    """Without this one, the tests above would pass with a door that is walled up."""
    body, kind, headers = genuine(name, leg, settings.PUBLIC_ORIGIN)
    assert client.post(path_of(name, leg), body, content_type=kind, headers=headers).status_code == 204
    leg.refresh_from_db()
    assert leg.state == LegState.ANSWERED
    before = everything()
    for _ in range(3):
        assert client.post(path_of(name, leg), body, content_type=kind, headers=headers).status_code == 204
    assert everything() == before


# ── A carrier gone mad ──────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.django_db
@FEW
@given(
    event_type=st.sampled_from(TELNYX_EVENTS),
    payload=st.dictionaries(st.text(max_size=12), anything, max_size=5),
    odd=anything,
)
@example(event_type="call.hangup", payload={"hangup_cause": "\x00", "sip_hangup_cause": "\x00"}, odd=None)
@example(event_type="call.machine.detection.ended", payload={"result": "human\x00"}, odd=None)
@example(event_type="call.recording.error", payload={"reason": "\ud800"}, odd=None)
@example(event_type="call.answered", payload={}, odd="\x80")
@example(event_type="call.initiated", payload={"direction": "incoming", "to": "\x00", "from": "\x00"}, odd=None)
def test_signed_nonsense_of_telnyx_is_taken_without_an_error(client, event_type, payload, odd):
    leg = make_leg(LegState.QUEUED, carrier="telnyx", carrier_call_id=control_id())
    errors = n_errors()
    for call_id in (leg.carrier_call_id, odd):
        for at_leg in (True, False):
            names = ("hangup_cause", "result", "stream_id", "failure_reason", "recording_urls", "client_state")
            odds = dict.fromkeys(names, odd)
            message = event(event_type, **{**odds, **payload, "call_control_id": call_id})
            body = as_body(message)
            path = path_of("telnyx", leg) if at_leg else "/hooks/telnyx/events"
            answer = client.post(path, body, content_type="application/json", headers=signed(body))
            assert answer.status_code == 204
    assert n_errors() == errors


@pytest.mark.django_db
@FEW
@given(body=st.binary(max_size=200) | anything.map(lambda data: json.dumps({"data": data}).encode()))
def test_signed_bytes_that_are_no_event_are_taken_without_effect(client, body):
    leg = make_leg(LegState.QUEUED, carrier="telnyx", carrier_call_id=control_id())
    before, errors = everything(), n_errors()
    answer = client.post(path_of("telnyx", leg), body, content_type="application/json", headers=signed(body))
    assert answer.status_code == 204
    assert (everything(), n_errors()) == (before, errors)


words = st.text(st.characters(codec="utf-8"), max_size=200)


@pytest.mark.django_db
@FEW
@given(
    hook=st.sampled_from(TWILIO_HOOKS),
    odds=st.dictionaries(
        st.sampled_from(TWILIO_FIELDS),
        words,
        max_size=8,
    ),
)
@example(hook="amd", odds={"AnsweredBy": "human\x00"})
@example(hook="stream", odds={"StreamEvent": "stream-error", "StreamError": "\x00" * 9, "StreamSid": "\x00"})
@example(hook="status", odds={"CallStatus": "busy", "SequenceNumber": "\x00", "SipResponseCode": "99999"})
@example(hook="recording", odds={"RecordingSid": "RE1", "RecordingStatus": "absent", "ErrorCode": "\x00"})
@example(hook="status", odds={"CallStatus": "completed", "CallDuration": "999999999"})
def test_signed_nonsense_of_twilio_is_taken_without_an_error(client, settings, hook, odds):
    leg = make_leg(LegState.QUEUED, carrier_call_id=sid())
    errors = n_errors()
    form = {"CallSid": leg.carrier_call_id, **odds}
    for path in (path_of("twilio", leg, hook), "/hooks/twilio/inbound", "/hooks/twilio/inbound-status"):
        headers = {"X-Twilio-Signature": signature(settings.PUBLIC_ORIGIN + path, form)}
        kind = "application/x-www-form-urlencoded"
        answer = client.post(path, urlencode(form).encode(), content_type=kind, headers=headers)
        assert answer.status_code in {200, 204, 403}  # 403: the time that it says it is
    assert n_errors() == errors


# ── Large and slow ones, at the real server ─────────────────────────────────────────────────────────────────
@pytest.fixture
def server(transactional_db) -> Iterator[str]:
    """The web process as it runs, on the tests' database."""
    facts = connection.settings_dict
    database = f"postgresql://{facts['USER']}:{facts['PASSWORD']}@{facts['HOST']}:{facts['PORT']}/{facts['NAME']}"
    port = free_port()
    env = os.environ | {"DATABASE_URL": database, "DB_POOL_SIZE": "2", "DB_POOL_OVERFLOW": "2"}
    env |= {"DJANGO_SETTINGS_MODULE": "config.settings.test", "PUBLIC_ORIGIN": "http://127.0.0.1:8000"}
    command = [sys.executable, "-m", "daphne", "-v", "0", "-b", "127.0.0.1", "-p", str(port), "config.asgi:application"]
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    base, until = f"http://127.0.0.1:{port}", time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"{base}/healthz", timeout=2):
                break
        except OSError:
            assert process.poll() is None, "the server did not start"
            assert time.monotonic() < until, "the server does not answer"
            time.sleep(0.1)
    yield base
    process.terminate()
    process.wait(timeout=20)


def deliver(base: str, leg: Leg, body: bytes, headers: dict[str, str]) -> int:
    request = urllib.request.Request(
        f"{base}/hooks/telnyx/leg/{leg.token}", body, {"Content-Type": "application/json", **headers}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_large_and_slow_senders_keep_nobody_else_waiting(server):
    leg = make_leg(LegState.QUEUED, carrier="telnyx", carrier_call_id=control_id())
    huge = b'{"data":"' + b"x" * 10_000_000 + b'"}'
    assert deliver(server, leg, huge, signed(huge)) == 413
    where = urlsplit(server)
    with ExitStack() as stack:
        slow = []
        for n in range(60):
            sender = stack.enter_context(closing(socket.create_connection((where.hostname, where.port), timeout=5)))
            head = f"POST /hooks/telnyx/leg/{leg.token} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n"
            # Half of them never finish their headers, the others send a byte of their body now and then.
            sender.sendall((head + ("\r\n" if n % 2 else "X-Slow: ")).encode())
            slow.append(sender)
        for _ in range(5):
            for sender in slow:
                sender.sendall(b"x")
            body = as_body(event("call.bridged", call_control_id=leg.carrier_call_id))
            began = time.monotonic()
            assert deliver(server, leg, body, signed(body)) == 204
            assert time.monotonic() - began < 2, "Telnyx waits no longer"
    body = as_body(event("call.answered", call_control_id=leg.carrier_call_id))
    assert deliver(server, leg, body, signed(body)) == 204
    leg.refresh_from_db()
    assert leg.state == LegState.ANSWERED
