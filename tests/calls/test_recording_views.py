"""Who may listen, what a player gets when it asks for pieces, and what a call's page says of its recording."""

import asyncio
import json
import re
from datetime import timedelta

import pytest
from django.test import AsyncClient
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from apps.calls.models import CallEvent, Recording, Turn
from apps.calls.models.recording import ErasedWhy, RecordingSource, RecordingState
from apps.calls.recording_response import CannotBeGiven, Piece, piece_of
from apps.calls.services import recording_erasure
from tests.accounts.api.clients import api_as
from tests.factories.calls import make_call, make_leg
from tests.factories.recordings import SOUND, make_recording


@pytest.fixture(autouse=True)
def storage(settings, tmp_path):
    options = {"location": str(tmp_path / "recordings")}
    backend = {"BACKEND": "apps.calls.recording_files.RecordingFiles", "OPTIONS": options}
    settings.STORAGES = {**settings.STORAGES, "recordings": backend}
    return tmp_path / "recordings"


def get(user, recording: Recording, *, method="get", query="", **headers):
    """Status, headers and body, as an ASGI server sends them."""

    async def ask():
        client = AsyncClient()
        await client.aforce_login(user)
        url = reverse("calls:recording", args=[recording.pk]) + query
        response = await getattr(client, method)(url, headers=headers)
        if response.streaming:
            return response, b"".join([chunk async for chunk in response.streaming_content])
        return response, response.content

    return asyncio.run(ask())


pytestmark = pytest.mark.django_db(transaction=True)


def test_supervisors_and_admins_listen_and_nobody_else(client, admin, alice, bob):
    recording = make_recording()
    for user in (admin, alice):
        response, body = get(user, recording)
        assert (response.status_code, body) == (200, SOUND)
    assert get(bob, recording)[0].status_code == 403
    assert client.get(reverse("calls:recording", args=[recording.pk])).status_code == 302  # to the sign-in page
    assert [event.data["by_id"] for event in CallEvent.objects.filter(kind="recording_played").order_by("pk")] == [
        admin.pk,
        alice.pk,
    ]


def test_a_player_gets_the_pieces_it_asks_for_and_that_is_one_listening(alice):
    recording = make_recording()
    response, body = get(alice, recording, range="bytes=0-")
    assert response.status_code == 206
    assert response["Content-Range"] == f"bytes 0-{len(SOUND) - 1}/{len(SOUND)}"
    response, body = get(alice, recording, range="bytes=1000-1999")
    assert body == SOUND[1000:2000]
    assert response["Content-Length"] == "1000"
    assert response["Accept-Ranges"] == "bytes"
    assert response["Content-Type"] == "audio/wav"
    assert "private" in response["Cache-Control"]
    assert get(alice, recording, range="bytes=-10")[1] == SOUND[-10:]
    assert CallEvent.objects.filter(kind="recording_played").count() == 1


def test_what_cannot_be_given_is_said(alice):
    recording = make_recording()
    response, body = get(alice, recording, range=f"bytes={len(SOUND)}-")
    assert (response.status_code, body) == (416, b"")
    assert response["Content-Range"] == f"bytes */{len(SOUND)}"
    assert get(alice, recording, range="bytes=0-1,5-9")[0].status_code == 200
    response, body = get(alice, recording, range="bytes=0-1", **{"if-range": '"other"'})
    assert (response.status_code, len(body)) == (200, len(SOUND))
    assert get(alice, recording, range="bytes=0-1", **{"if-range": f'"{"a" * 64}"'})[1] == SOUND[:2]


def test_asking_for_the_head_is_no_listening(alice):
    recording = make_recording()
    response, body = get(alice, recording, method="head")
    assert (response.status_code, body) == (200, b"")
    assert response["Content-Length"] == str(len(SOUND))
    assert not CallEvent.objects.exists()


def test_a_download_has_a_name_and_is_noted_as_such(alice):
    recording = make_recording(started_at=timezone.now().replace(year=2026, month=11, day=2, hour=9, minute=5))
    response, _ = get(alice, recording, query="?download=1")
    assert response["Content-Disposition"] == f'attachment; filename="call-{recording.call_id}-2026-11-02-0905.wav"'
    assert CallEvent.objects.get().kind == "recording_downloaded"


def test_a_file_that_is_gone_and_a_recording_that_is_not_there_are_not_found(alice, storage):
    recording = make_recording()
    (storage / recording.name).unlink()
    assert get(alice, recording)[0].status_code == 404
    erased = make_recording()
    recording_erasure.erase_recording(erased.pk, why=ErasedWhy.REQUEST)
    assert get(alice, erased)[0].status_code == 404
    assert not CallEvent.objects.filter(kind="recording_played").exists()


def test_nginx_may_send_it_instead(alice, settings):
    settings.RECORDING_X_ACCEL = "/protected/recordings/"
    recording = make_recording()
    response, body = get(alice, recording, range="bytes=0-5")
    assert (response.status_code, body) == (200, b"")
    assert response["X-Accel-Redirect"] == f"/protected/recordings/{recording.name}"
    assert CallEvent.objects.filter(kind="recording_played").count() == 1


def test_many_slow_listeners_hold_no_thread(alice):
    """Twice as many as the server has threads, all stopped in mid-sentence; another one gets through."""
    recording = make_recording()

    async def listen():
        client = AsyncClient()
        await client.aforce_login(alice)
        url = reverse("calls:recording", args=[recording.pk])
        slow = []
        for _ in range(80):
            response = await client.get(url)
            chunks = aiter(response.streaming_content)
            await anext(chunks)
            slow.append(chunks)
        async with asyncio.timeout(10):
            response = await client.get(url)
            assert b"".join([chunk async for chunk in response.streaming_content]) == SOUND
        for chunks in slow:
            await chunks.aclose()

    asyncio.run(listen())


@pytest.mark.parametrize(
    ("header", "piece"),
    [
        ("bytes=0-", Piece(0, 99)),
        ("bytes=0-0", Piece(0, 0)),
        ("bytes=10-19", Piece(10, 19)),
        ("bytes=90-500", Piece(90, 99)),
        ("bytes=-5", Piece(95, 99)),
        ("bytes=-500", Piece(0, 99)),
        ("", None),
        ("bytes=-", None),
        ("bytes=9-3", None),
        ("bytes=0-1,4-5", None),
        ("items=0-1", None),
        ("bytes=a-b", None),
    ],
)
def test_ranges_are_read_as_the_standard_has_them(header, piece):
    assert piece_of(header, 100) == piece


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_a_range_beyond_the_end_cannot_be_given(header):
    with pytest.raises(CannotBeGiven):
        piece_of(header, 100)


@given(st.text(max_size=40), st.integers(1, 10**9))
def test_any_range_header_gives_a_piece_of_the_file_or_none(header, size):
    for text in (header, f"bytes={header}"):
        try:
            piece = piece_of(text, size)
        except CannotBeGiven:
            continue
        assert piece is None or 0 <= piece.start <= piece.end < size


# ── The page ────────────────────────────────────────────────────────────────────────────────────────────────
def page_of(client, call) -> str:
    return client.get(reverse("calls:detail", args=[call.pk])).content.decode()


def ended_call():
    now = timezone.now()
    return make_call(outcome="answered", answered_at=now, ended_at=now)


def test_the_page_plays_and_says_what_is_missing(client, alice):
    call = ended_call()
    began = timezone.now()
    make_recording(call, paused=[[3000, 9000, "card"]], started_at=began)
    Turn.objects.create(
        call=call, speaker="ai", text="Hi", item_id="1", started_ms=0, ended_ms=2500, was_interrupted=True, at=began
    )
    CallEvent.objects.create(call=call, kind="tool_called", data={"name": "opt_out"}, at=began + timedelta(seconds=11))
    client.force_login(alice)
    page = page_of(client, call)
    assert "data-player" in page
    assert "Not recorded from 0:03 to 0:09: card data is spoken" in " ".join(page.split()).replace("</svg> ", "")
    facts = dict(re.findall(r'<script id="recording-(\w+)" type="application/json">(.*?)</script>', page))
    assert json.loads(facts["peaks"]) == [[0, 200, 10], [90, 0, 0]]
    assert json.loads(facts["paused"]) == [[3.0, 9.0]]
    assert [(mark["at"], mark["label"]) for mark in json.loads(facts["marks"])] == [
        (2.5, "interrupted"),
        (11.0, "the AI used a tool: put the person on the do-not-call list"),
    ]
    assert 'data-started="0" data-ended="2500"' in page


@pytest.mark.parametrize("language", ["en", "es", "cs"])
def test_numbers_for_the_script_are_the_same_in_every_language(client, alice, language):
    call = ended_call()
    make_recording(call, duration_ms=16_250)
    alice.language = language
    alice.save()
    client.force_login(alice)
    assert 'data-duration="16.25"' in page_of(client, call)


def test_every_state_has_its_words(client, alice):
    client.force_login(alice)
    assert "This call is not recorded." in page_of(client, ended_call())
    call = ended_call()
    recording = Recording.objects.create(call=call, source=RecordingSource.BRIDGE)
    page = page_of(client, call)
    assert "is being put away" in page
    assert "hx-trigger" in page
    Recording.objects.filter(pk=recording.pk).update(state=RecordingState.FAILED)
    assert "The recording was lost" in page_of(client, call)
    recording_erasure.erase_recording(recording.pk, why=ErasedWhy.RETENTION)
    assert "kept long enough" in page_of(client, call)
    live = make_leg("answered").call
    Recording.objects.create(call=live, source=RecordingSource.BRIDGE)
    page = page_of(client, live)
    assert "Being recorded" in page
    assert "Pause the recording" in page
    CallEvent.objects.create(call=live, kind="recording_paused")
    page = page_of(client, live)
    assert "nothing of what is said now is recorded" in page
    assert "Record again" in page


def test_pausing_is_asked_of_the_session_and_noted(client, alice, bob, monkeypatch):
    sent = []
    from apps.calls.services import recording_control

    monkeypatch.setattr(
        recording_control, "send_to_session", lambda call_id, kind, **data: sent.append((call_id, kind))
    )
    call = make_leg("answered").call
    url = reverse("calls:control-recording", args=[call.pk, "pause"])
    client.force_login(bob)
    assert client.post(url).status_code == 403
    client.force_login(alice)
    assert client.get(url).status_code == 405
    assert client.post(url).status_code == 302
    assert sent == [(call.pk, "pause_recording")]
    event = CallEvent.objects.get(kind="recording_asked")
    assert (event.data["act"], event.data["by_id"]) == ("pause", alice.pk)
    assert client.post(reverse("calls:control-recording", args=[call.pk, "delete"])).status_code == 404
    over = ended_call()
    url = reverse("calls:control-recording", args=[over.pk, "pause"])
    answer = client.post(url, headers={"X-Requested-With": "fetch"})
    assert (answer.status_code, answer.json()["is_live"]) == (409, False)
    assert len(sent) == 1


# ── The API ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_api_lists_recordings_and_gives_the_sound(alice, bob):
    recording = make_recording(paused=[[1, 2, "card"]])
    make_recording()
    api = api_as(alice)
    found = api.get("/api/v1/recordings/", {"call": recording.call_id}).json()
    assert [row["id"] for row in found["results"]] == [recording.pk]
    row = found["results"][0]
    assert row["paused"] == [{"from_ms": 1, "to_ms": 2, "reason": "card"}]
    assert row["url"].endswith(f"/api/v1/recordings/{recording.pk}/sound/")
    response = api.get(f"/api/v1/recordings/{recording.pk}/sound/", headers={"range": "bytes=0-9"})
    assert response.status_code == 206

    async def read():
        return b"".join([chunk async for chunk in response.streaming_content])

    assert asyncio.run(read()) == SOUND[:10]
    assert CallEvent.objects.get(kind="recording_downloaded").data["by_id"] == alice.pk
    assert api_as(bob).get("/api/v1/recordings/").status_code == 403
    assert api_as(bob).get(f"/api/v1/recordings/{recording.pk}/sound/").status_code == 403


def test_the_back_office_shows_recordings_and_changes_none(client, admin, alice):
    recording = make_recording()
    client.force_login(admin)
    page = client.get(reverse("admin:calls_recording_changelist")).content.decode()
    assert f"#{recording.call_id}" in page
    assert client.get(reverse("admin:calls_recording_change", args=[recording.pk])).status_code == 200
    assert client.post(reverse("admin:calls_recording_delete", args=[recording.pk])).status_code == 403
