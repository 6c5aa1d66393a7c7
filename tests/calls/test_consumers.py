"""The media process itself, as the Procfile starts it: who may open a stream, and what harms whom."""

import json
import signal
import socket
import struct
import threading
import time
from datetime import timedelta

import pytest
from django.utils import timezone
from websockets.exceptions import ConnectionClosed, InvalidStatus

from apps.calls.bridge import phrase_book
from apps.calls.models import Call, CallEvent, CostItem, Leg, Turn
from apps.calls.services.placing import CallBrief
from apps.core import breaker
from tests.calls.media_server import FRAME, Carrier, EchoProvider, MediaServer, eventually, free_port, media_server
from tests.factories.calls import make_call, make_callable, make_leg, signature

pytestmark = pytest.mark.django_db(transaction=True)
_names = iter(f"Person{n}" for n in range(1000))


@pytest.fixture(scope="module")
def provider():
    with EchoProvider() as provider:
        yield provider


@pytest.fixture(scope="module")
def media_process(django_db_setup, django_db_blocker, provider, tmp_path_factory):
    with django_db_blocker.unblock():
        log = tmp_path_factory.mktemp("media") / "media.log"
        with media_server(provider, log, MEDIA_MAX_CALLS="4") as server:
            yield server


@pytest.fixture
def media(media_process: MediaServer, provider: EchoProvider):
    """The process, left without calls so that the next test's database is its own."""
    yield media_process
    provider.deaf.clear()
    provider.is_refusing = False
    media_process.wait_idle()


def make_stream(state: str = "answered", **fields) -> Leg:
    """A leg whose media socket may be opened; its contact's name is one of its own."""
    # Recordings are kept after a call, beside whatever the next test does to the database; they are tested elsewhere.
    brief = CallBrief(pace_key="test", calls_per_second=100).as_json() | {"is_recorded": False}
    call = make_call(contact=make_callable(first_name=next(_names)), brief=brief)
    fields.setdefault("media_token_expires_at", timezone.now() + timedelta(seconds=60))
    fields.setdefault("carrier_call_id", f"CA{call.pk:032x}")
    return make_leg(state, call=call, **fields)


def name_of(leg: Leg) -> str:
    assert leg.call.contact is not None
    return leg.call.contact.first_name


def refused(media: MediaServer, leg: Leg, **how) -> int:
    with pytest.raises(InvalidStatus) as error, media.open(leg, **how):
        pass
    return error.value.response.status_code


def ready(provider: EchoProvider, leg: Leg) -> None:
    eventually(lambda: provider.of(name_of(leg), "response.create"))


def transcript(provider: EchoProvider, leg: Leg, text: str) -> None:
    provider.send(
        name_of(leg),
        {"type": "input_audio_buffer.speech_started", "item_id": "u1", "audio_start_ms": 0},
        {"type": "input_audio_buffer.speech_stopped", "item_id": "u1", "audio_end_ms": 900},
        {
            "type": "conversation.item.input_audio_transcription.completed",
            "item_id": "u1",
            "transcript": text,
            "languages": [{"code": "en"}],
            "usage": {"type": "tokens", "total_tokens": 7},
        },
    )


# ── A conversation ──────────────────────────────────────────────────────────────────────────────────────────
def test_a_conversation_leaves_its_transcript_and_its_costs(media, provider):
    leg = make_stream()
    with media.call(leg) as carrier:
        ready(provider, leg)
        carrier.speak(3)
        assert carrier.hear()["media"]["payload"] == FRAME
        done = {"type": "response.output_audio_transcript.done", "item_id": "a1", "transcript": "Hello there."}
        provider.send(name_of(leg), done)
        transcript(provider, leg, "Yes please.")
        carrier.stop()
        carrier.wait_closed()
    media.wait_idle()
    assert {(turn.speaker, turn.text) for turn in Turn.objects.filter(call=leg.call)} >= {("caller", "Yes please.")}
    kinds = list(CallEvent.objects.filter(call=leg.call).order_by("pk").values_list("kind", flat=True))
    assert (kinds[0], kinds[-1]) == ("session_started", "session_ended")
    assert CostItem.objects.get(call=leg.call, part="transcription").quantity == 7
    leg.refresh_from_db()
    assert (leg.n_media_sessions, leg.media_token_expires_at) == (1, None)
    assert leg.media_opened_at is not None


def test_a_caller_who_hangs_up_is_not_hung_up_on(media, provider):
    leg = make_stream()
    with media.call(leg) as carrier:
        ready(provider, leg)
        carrier.stop()
        assert carrier.wait_closed() == 1000
    media.wait_idle()
    assert Call.objects.get(pk=leg.call_id).end_reason == ""  # the carrier tells


def test_an_ai_that_ends_the_call_says_so_before_the_socket_closes(media, provider):
    leg = make_stream()
    with media.call(leg) as carrier:
        ready(provider, leg)
        call = {"type": "response.function_call_arguments.done", "call_id": "c", "name": "end_call", "arguments": "{}"}
        done = {"type": "response.done", "response": {"id": "r", "status": "completed", "output": []}}
        provider.send(name_of(leg), call, done)
        assert carrier.wait_closed() == 1000
        assert Call.objects.get(pk=leg.call_id).end_reason == "ai_ended"


def test_an_interruption_is_told_to_carrier_and_provider(media, provider):
    leg = make_stream()
    with media.call(leg) as carrier:
        ready(provider, leg)
        carrier.speak(50)
        carrier.hear("mark")
        provider.send(name_of(leg), {"type": "input_audio_buffer.speech_started", "item_id": "u9", "audio_start_ms": 0})
        carrier.hear("clear")
        cut = eventually(lambda: provider.of(name_of(leg), "conversation.item.truncate"))
        assert 0 <= cut[0]["audio_end_ms"] < 1000


def test_a_stream_opened_again_goes_on_with_what_was_said(media, provider):
    leg = make_stream()
    with media.call(leg) as carrier:
        ready(provider, leg)
        transcript(provider, leg, "I moved to Brno.")
        eventually(lambda: Turn.objects.filter(call=leg.call).exists())
        carrier.socket.socket.shutdown(socket.SHUT_RDWR)
    media.wait_idle()
    assert Call.objects.get(pk=leg.call_id).end_reason == ""
    opened_at = Leg.objects.get(pk=leg.pk).media_opened_at
    expires_at = timezone.now() + timedelta(seconds=60)
    Leg.objects.filter(pk=leg.pk).update(media_token="x" * 32, media_token_expires_at=expires_at)
    Turn.objects.create(call=leg.call, speaker="ai", text="Hello.", item_id="a", started_ms=0, ended_ms=0, at=opened_at)
    leg.refresh_from_db()
    provider.received.pop(name_of(leg))
    with media.call(leg):
        ready(provider, leg)
    items = provider.of(name_of(leg), "conversation.item.create")
    assert {item["item"]["content"][0]["text"] for item in items} == {"Hello.", "I moved to Brno."}
    assert "Do not greet again" in provider.of(name_of(leg), "response.create")[0]["response"]["instructions"]
    leg.refresh_from_db()
    assert (leg.n_media_sessions, leg.media_opened_at) == (2, opened_at)


# ── Who may come in ─────────────────────────────────────────────────────────────────────────────────────────
def test_only_the_carrier_may_open_a_stream_and_a_refusal_uses_nothing_up(media, provider):
    leg = make_stream()
    path = f"/media/twilio/{leg.media_token}"
    assert refused(media, leg, signed=None) == 403
    assert refused(media, leg, signed="wss://other.example.com" + path) == 403
    assert refused(media, leg, signed=f"http://127.0.0.1:{media.port}{path}") == 403
    assert refused(media, leg, signed=f"ws://127.0.0.1:{media.port}{path[:-1]}x") == 403
    assert refused(media, leg, path=path + "?x=1") == 403
    with media.call(leg):
        ready(provider, leg)


@pytest.mark.parametrize("path", ["/media/twilio/" + "y" * 32, "/media/twilio/short", "/media/other/" + "y" * 32, "/"])
def test_unknown_addresses_are_refused(media, path):
    assert refused(media, make_stream(), path=path) == 403


@pytest.mark.parametrize(
    "fields",
    [
        {"media_token_expires_at": timezone.now() - timedelta(seconds=1)},
        {"media_token_expires_at": None},
        {"state": "created"},
        {"state": "ended", "ended_at": timezone.now(), "outcome": "answered"},
    ],
)
def test_tokens_that_are_over_open_nothing(media, fields):
    assert refused(media, make_stream(**fields)) == 403


def test_a_call_that_is_being_ended_gets_no_ai(media):
    leg = make_stream()
    Call.objects.filter(pk=leg.call_id).update(end_reason="staff_ended")
    assert refused(media, leg) == 403


def test_of_many_sockets_with_one_token_one_is_opened(media, provider):
    leg = make_stream()
    opened: list[Carrier] = []
    statuses: list[int] = []

    def try_it() -> None:
        try:
            opened.append(Carrier(media.open(leg), leg))
        except InvalidStatus as error:
            statuses.append(error.response.status_code)

    threads = [threading.Thread(target=try_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(opened), statuses) == (1, [403, 403, 403])
    opened[0].start()
    ready(provider, leg)
    opened[0].socket.close()


@pytest.mark.parametrize("change", [{"callSid": "CA" + "f" * 32}, {"accountSid": "AC" + "f" * 32}])
def test_a_stream_of_another_call_is_closed(media, provider, change):
    leg = make_stream()
    with media.open(leg) as socket_:
        carrier = Carrier(socket_, leg)
        carrier.start(**change)
        assert carrier.wait_closed() == 1008
    assert name_of(leg) not in provider.sockets


def test_more_calls_than_there_is_room_for_are_refused_until_one_ends(media, provider):
    legs = [make_stream() for _ in range(5)]
    carriers = [Carrier(media.open(leg), leg) for leg in legs[:4]]
    for carrier in carriers:
        carrier.start()
    assert refused(media, legs[4]) == 503
    assert media.get("/readyz")[0] == 503
    carriers[0].stop()
    carriers[0].wait_closed()
    eventually(lambda: media.n_calls == 3)
    with media.call(legs[4]):
        ready(provider, legs[4])
    for carrier in carriers:
        carrier.socket.close()


# ── Trouble stays with its call ─────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "message",
    [
        "not json",
        "[]",
        b"\x00\x01binary",
        {"event": "media"},
        {"event": "media", "sequenceNumber": "0", "streamSid": "MZ", "media": {}},
        json.dumps({"event": "media", "padding": "x" * 20_000}),
        "x" * 200_000,
        "[" * 10_000,
    ],
)
def test_what_the_protocol_forbids_ends_that_call_and_no_other(media, provider, message):
    good, bad = make_stream(), make_stream()
    with media.call(good) as carrier, media.call(bad) as mad:
        ready(provider, good)
        ready(provider, bad)
        mad.send(message)
        mad.wait_closed()
        carrier.speak()
        assert carrier.hear()["media"]["payload"] == FRAME
    media.wait_idle()
    if message != "x" * 200_000:  # too long even to be read: to us that socket is lost
        assert eventually(lambda: Call.objects.get(pk=bad.call_id).end_reason) == "carrier_failed"
    assert Call.objects.get(pk=good.call_id).end_reason == ""


def test_a_message_out_of_order_ends_its_call(media, provider):
    leg = make_stream()
    with media.call(leg) as carrier:
        ready(provider, leg)
        carrier.speak(2)
        carrier.number = 1
        carrier.speak()
        carrier.wait_closed()
    assert eventually(lambda: Call.objects.get(pk=leg.call_id).end_reason) == "carrier_failed"
    media.wait_idle()
    assert 'media_protocol_errors_total{carrier="twilio",code="out_of_order"}' in media.get("/metrics")[1]


def test_a_socket_torn_off_frees_its_place(media, provider):
    leg = make_stream()
    path = f"/media/twilio/{leg.media_token}"
    signed = signature(f"ws://127.0.0.1:{media.port}{path}", {})
    request = (
        f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nX-Twilio-Signature: {signed}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", media.port)) as raw:
        raw.sendall(request.encode())
        assert b" 101 " in raw.recv(1000)
        assert media.n_calls == 1
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset instead of a farewell
    media.wait_idle()


def test_a_call_whose_socket_drops_is_told_as_lost(media, provider):
    leg = make_stream()
    with media.call(leg) as carrier:
        ready(provider, leg)
        carrier.socket.socket.shutdown(socket.SHUT_RDWR)
    media.wait_idle()
    ended = eventually(lambda: CallEvent.objects.filter(call=leg.call, kind="session_ended").first())
    assert ended.data["reason"] == "media_lost"


def test_a_socket_that_closes_before_it_began_frees_its_place(media):
    with media.open(make_stream()):
        assert media.n_calls == 1
    media.wait_idle()


def test_a_mad_call_and_a_deaf_provider_delay_nobody(media, provider):
    good, mad, slow = make_stream(), make_stream(), make_stream()
    provider.deaf.add(name_of(slow))
    with media.call(good) as carrier, media.call(mad) as flood, media.call(slow) as stuck:
        ready(provider, good)
        ready(provider, mad)
        eventually(lambda: name_of(slow) in provider.sockets)

        def pour(into: Carrier) -> None:
            try:
                for _ in range(400):
                    into.speak(20)
                    if into is stuck:
                        time.sleep(0.02)
            except (ConnectionClosed, OSError):
                pass

        threads = [threading.Thread(target=pour, args=(one,)) for one in (flood, stuck)]
        for thread in threads:
            thread.start()
        delays = []
        for _ in range(60):
            began = time.monotonic()
            carrier.speak()
            carrier.hear()
            delays.append(time.monotonic() - began)
            time.sleep(0.02)
        for thread in threads:
            thread.join()
    delays.sort()
    assert delays[len(delays) // 2] < 0.1
    assert delays[-1] < 1.5
    ended = eventually(lambda: CallEvent.objects.filter(call=mad.call, kind="session_ended").first())
    assert ended.data["detail"].startswith("flood")


def test_a_provider_that_refuses_ends_the_call(media, provider):
    provider.is_refusing = True
    leg = make_stream()
    with media.call(leg) as carrier:
        assert carrier.wait_closed() == 1000
    assert Call.objects.get(pk=leg.call_id).end_reason == "ai_failed"
    assert CallEvent.objects.get(call=leg.call, kind="ai_failed").data["error"] == "http_401"


def test_a_provider_lost_in_mid_call_is_found_again(media, provider):
    leg = make_stream()
    with media.call(leg) as carrier:
        ready(provider, leg)
        provider.received[name_of(leg)].clear()
        lost_at = time.monotonic()
        provider.close(name_of(leg), 1001)
        phrase = phrase_book.load().waits["en"][0]
        assert carrier.hear()["media"]["payload"] == phrase.pieces[0].text
        assert time.monotonic() - lost_at < 1.0
        ready(provider, leg)
        carrier.speak()
        eventually(lambda: carrier.hear()["media"]["payload"] == FRAME)
        carrier.stop()
    media.wait_idle()
    kinds = list(CallEvent.objects.filter(call=leg.call).order_by("pk").values_list("kind", flat=True))
    assert kinds.index("ai_failed") < kinds.index("reconnected")
    assert phrase.text.startswith(Turn.objects.get(call=leg.call, speaker="system").text)


def test_a_breaker_opened_and_closed_elsewhere_holds_for_calls_in_progress(media, provider):
    """As an operator does it in the back office, in another process."""
    breaker.open("openai", for_s=300)
    time.sleep(1.5)  # processes exchange what they know once a second
    leg = make_stream()
    with media.call(leg):
        failed = eventually(lambda: CallEvent.objects.filter(call=leg.call, kind="ai_failed").first())
        assert failed.data["error"] == "circuit_open"
        breaker.close("openai")
        ready(provider, leg)
    media.wait_idle()


# ── The process ─────────────────────────────────────────────────────────────────────────────────────────────
def test_the_process_answers_for_its_health(media):
    assert media.get("/healthz") == (200, "ok")
    status, body = media.get("/readyz")
    assert status == 200
    state = json.loads(body)
    assert (state["n_calls"], state["max_calls"], state["fill"]) == (0, 4, 0.0)
    checks = state["checks"]
    assert checks == dict.fromkeys(("takes_calls", "has_room", "journal", "database", "redis"), True)
    status, body = media.get("/metrics")
    assert status == 200
    for name in ("sessions_active", "media_calls", "media_calls_max", "media_fill_ratio", "journal_records_waiting"):
        assert f"callcentre_{name}" in body
    assert media.get("/anything")[0] == 404


def test_a_process_told_to_stop_finishes_its_calls_and_takes_no_other(provider, tmp_path, db):
    with media_server(provider, tmp_path / "media.log", MEDIA_DRAIN_S="30") as media:
        leg, late = make_stream(), make_stream()
        with media.call(leg) as carrier:
            ready(provider, leg)
            media.process.send_signal(signal.SIGTERM)
            eventually(lambda: media.get("/readyz")[0] == 503)
            assert refused(media, late) == 503
            carrier.speak()
            assert carrier.hear()["media"]["payload"] == FRAME
            transcript(provider, leg, "Goodbye.")
            carrier.stop()
            carrier.wait_closed()
        media.process.wait(15)
    assert Turn.objects.get(call=leg.call).text == "Goodbye."
    late.refresh_from_db()
    assert late.media_token_expires_at is not None  # another process may open it


def test_a_process_that_cannot_wait_hands_its_calls_on(provider, tmp_path, db):
    with media_server(provider, tmp_path / "media.log", MEDIA_DRAIN_S="0") as media:
        leg = make_stream()
        with media.call(leg) as carrier:
            ready(provider, leg)
            transcript(provider, leg, "Are you there?")
            time.sleep(0.2)
            media.process.send_signal(signal.SIGTERM)
            assert carrier.wait_closed() == 1012
        media.process.wait(15)
    assert Turn.objects.get(call=leg.call).text == "Are you there?"
    assert CallEvent.objects.get(call=leg.call, kind="session_ended").data["reason"] == "media_lost"
    assert Call.objects.get(pk=leg.call_id).end_reason == ""  # the carrier asks what to do, and gets a new stream


def test_a_process_without_a_database_lets_the_carrier_go_elsewhere(provider, tmp_path, db):
    nowhere = f"postgresql://nobody:x@127.0.0.1:{free_port()}/none"
    with media_server(provider, tmp_path / "media.log", DATABASE_URL=nowhere) as media:
        assert media.get("/readyz")[0] == 503
        assert refused(media, make_stream()) == 503
