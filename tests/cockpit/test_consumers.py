"""The live page's socket, over real Redis."""

import pytest
from asgiref.sync import sync_to_async
from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.sessions.backends.cached_db import SessionStore
from django.test import Client

from apps.accounts.models import Role
from apps.calls.events import LIVE_GROUP
from apps.calls.states import LegState
from apps.cockpit.consumers import BAD_MESSAGE, NOT_ALLOWED, SIGNED_OUT, LiveConsumer
from apps.cockpit.routing import websocket_urlpatterns
from apps.core.realtime import current_seq, publish
from tests.factories.calls import make_leg

pytestmark = pytest.mark.django_db(transaction=True)

application = AuthMiddlewareStack(URLRouter(websocket_urlpatterns))
publish_later = sync_to_async(publish)


def open_as(user=None) -> WebsocketCommunicator:
    client = Client()
    headers = []
    if user is not None:
        client.force_login(user, backend="apps.accounts.backends.RoleBackend")
        cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
        headers = [(b"cookie", cookie.encode())]
    return WebsocketCommunicator(application, "/ws/live/", headers=headers)


async def connected(user) -> WebsocketCommunicator:
    socket = await sync_to_async(open_as)(user)
    is_open, _ = await socket.connect()
    assert is_open
    return socket


async def close_code(socket: WebsocketCommunicator) -> int:
    message = await socket.receive_output(timeout=5)
    while message["type"] != "websocket.close":
        message = await socket.receive_output(timeout=5)
    return message["code"]


async def subscribed(socket: WebsocketCommunicator) -> dict:
    await socket.send_json_to({"type": "subscribe"})
    return await socket.receive_json_from(timeout=5)


async def test_only_those_who_may_watch_get_in(alice, bob):
    visitor = await sync_to_async(open_as)()
    await visitor.connect()
    assert await close_code(visitor) == SIGNED_OUT
    assert await close_code(await connected(bob)) == NOT_ALLOWED
    socket = await connected(alice)
    assert (await subscribed(socket))["type"] == "snapshot"
    await socket.disconnect()


async def test_snapshot_then_deltas_in_their_order(alice):
    leg = await sync_to_async(make_leg)(LegState.RINGING)
    socket = await connected(alice)
    snapshot = await subscribed(socket)
    assert [call["id"] for call in snapshot["calls"]] == [leg.call_id]
    for n in (1, 2, 3):
        await publish_later(LIVE_GROUP, "turn", {"n": n})
    deltas = [await socket.receive_json_from(timeout=5) for _ in range(3)]
    assert [delta["seq"] for delta in deltas] == [snapshot["seq"] + n for n in (1, 2, 3)]
    assert deltas[0] == {"type": "turn", "seq": snapshot["seq"] + 1, "data": {"n": 1}}
    await socket.disconnect()


async def test_before_it_subscribes_a_page_hears_nothing(alice):
    socket = await connected(alice)
    await publish_later(LIVE_GROUP, "call", {"id": 1})
    assert await socket.receive_nothing(timeout=0.3)
    await socket.disconnect()


@pytest.mark.parametrize("text", [" ", "nonsense", "[]", '"subscribe"', '{"type": "obey"}'])
async def test_what_is_not_our_protocol_closes_that_page_only(alice, text):
    socket, other = await connected(alice), await connected(alice)
    await socket.send_to(text_data=text)
    assert await close_code(socket) == BAD_MESSAGE
    assert (await subscribed(other))["type"] == "snapshot"
    await other.disconnect()


async def test_a_beat_tells_the_newest_number(alice, monkeypatch):
    monkeypatch.setattr(LiveConsumer, "beat_s", 0.05)
    socket = await connected(alice)
    await publish_later(LIVE_GROUP, "call", {"id": 1})
    newest = await sync_to_async(current_seq)(LIVE_GROUP)
    beat = await socket.receive_json_from(timeout=5)
    while beat["seq"] != newest:
        beat = await socket.receive_json_from(timeout=5)
    assert beat["type"] == "beat"
    assert beat["day"]
    await socket.disconnect()


def sign_out(user) -> None:
    for session in user_sessions(user):
        session.flush()


def user_sessions(user) -> list[SessionStore]:
    from django.contrib.sessions.models import Session

    keys = Session.objects.values_list("session_key", flat=True)
    return [store for key in keys if (store := SessionStore(key)).get("_auth_user_id") == str(user.pk)]


def become_agent(user) -> None:
    user.role = Role.AGENT
    user.save()


def change_password(user) -> None:
    user.set_password("another-long-password")
    user.save()


@pytest.mark.parametrize(
    ("happens", "code"), [(sign_out, SIGNED_OUT), (change_password, SIGNED_OUT), (become_agent, NOT_ALLOWED)]
)
async def test_an_open_page_closes_when_the_right_to_watch_ends(alice, monkeypatch, happens, code):
    monkeypatch.setattr(LiveConsumer, "beat_s", 0.05)
    monkeypatch.setattr(LiveConsumer, "recheck_s", 0.1)
    socket = await connected(alice)
    assert (await subscribed(socket))["type"] == "snapshot"
    await sync_to_async(happens)(alice)
    assert await close_code(socket) == code
