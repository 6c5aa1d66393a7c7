"""Commands from any process to the session that holds a call, over real Redis."""

import asyncio
import random

import orjson
import pytest
from django.conf import settings
from django.db import transaction
from django_redis import get_redis_connection

from apps.calls.bridge.commands import Command
from apps.calls.command_bus import CommandBus
from apps.calls.services.media_commands import CHANNEL, send_to_session


class Listener:
    """As much of a session as the bus sees."""

    def __init__(self) -> None:
        self.heard: list[Command] = []
        self.fails = False

    def command(self, command: Command) -> None:
        if self.fails:
            raise RuntimeError("bug")
        self.heard.append(command)


@pytest.fixture
async def bus():
    found = CommandBus(settings.REDIS_URL)
    found.start()
    await asyncio.wait_for(found.is_listening.wait(), 5)
    yield found
    await found.stop()


@pytest.fixture
def call_id() -> int:
    """Other tests run beside this one on the same Redis."""
    return random.randrange(10**9, 10**12)


async def send(call_id: int, kind: str, **data) -> None:
    await publish(orjson.dumps({"call_id": call_id, "kind": kind, "data": data}))


async def publish(message: bytes) -> None:
    await asyncio.to_thread(get_redis_connection("default").publish, CHANNEL, message)


async def heard(listener: Listener, n: int) -> list[Command]:
    for _ in range(200):
        if len(listener.heard) >= n:
            break
        await asyncio.sleep(0.01)
    return listener.heard


async def test_a_command_finds_the_session_of_its_call(bus, call_id):
    mine, other = Listener(), Listener()
    bus.add(call_id, mine)
    bus.add(call_id + 1, other)
    await send(call_id, "note", text="Offer a discount.")
    assert await heard(mine, 1) == [Command("note", {"text": "Offer a discount."})]
    assert other.heard == []


async def test_a_session_that_is_over_hears_nothing_and_a_later_one_of_the_call_does(bus, call_id):
    first, second, last = Listener(), Listener(), Listener()
    bus.add(call_id, first)
    bus.add(call_id, second)
    bus.remove(call_id, first)
    bus.add(call_id + 9, last)
    await send(call_id, "leave")
    assert await heard(second, 1) == [Command("leave")]
    bus.remove(call_id, second)
    await send(call_id, "leave")
    await send(call_id + 9, "leave")
    await heard(last, 1)
    assert (first.heard, len(second.heard)) == ([], 1)


async def test_garbage_and_a_command_that_fails_stop_nothing(bus, call_id):
    listener = Listener()
    bus.add(call_id, listener)
    for message in (b"\xff", b"[]", b'{"call_id": 1}', b'{"call_id": "x", "kind": "leave", "data": {}}'):
        await publish(message)
    listener.fails = True
    await send(call_id, "leave")
    await asyncio.sleep(0.05)
    listener.fails = False
    await send(call_id, "note", text="still there")
    assert await heard(listener, 1) == [Command("note", {"text": "still there"})]


async def test_a_lost_subscription_is_made_again(bus, call_id):
    listener = Listener()
    bus.add(call_id, listener)
    client = get_redis_connection("default")
    await asyncio.to_thread(client.client_kill_filter, _type="pubsub")
    for _ in range(100):
        await send(call_id, "leave")
        if listener.heard:
            break
        await asyncio.sleep(0.05)
    assert listener.heard


@pytest.mark.django_db(transaction=True)
def test_a_command_is_sent_when_what_it_is_about_is_committed(call_id):
    def next_of_mine(timeout_s: float) -> bytes | None:
        while (message := subscription.get_message(timeout=timeout_s)) is not None:
            if message["type"] == "message" and str(call_id).encode() in message["data"]:
                return message["data"]
        return None

    subscription = get_redis_connection("default").pubsub()
    subscription.subscribe(CHANNEL)
    assert subscription.get_message(timeout=5)["type"] == "subscribe"
    with transaction.atomic():
        send_to_session(call_id, "leave")
        assert next_of_mine(0.1) is None
    assert next_of_mine(5) == b'{"call_id":%d,"kind":"leave","data":{}}' % call_id
    subscription.close()
