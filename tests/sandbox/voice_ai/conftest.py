import contextlib
import socket

import pytest

from apps.sandbox.speech import synthesise
from apps.sandbox.voice_ai.server import VoiceAiServer, started

from .client import KEY, Caller, client, clip, line
from .gemini_client import KEY as GEMINI_KEY
from .gemini_client import Host, loopback_tls

SPEED = 40
INTENTS = (
    *("greeting", "interested", "confirm", "not_interested", "opt_out", "callback_tomorrow_1500", "wants_human"),
    *("wrong_person", "busy_now", "are_you_robot", "goodbye", "voicemail_greeting", "screener", "ivr_menu"),
    *("send_information", "question_price", "ask_repeat", "wants_sms", "card_number", "other_language"),
)


@pytest.fixture(scope="session")
def clips():
    return [(line(intent, language), clip(intent, language)) for language in ("en", "es", "cs") for intent in INTENTS]


@pytest.fixture
async def port(clips):
    server = VoiceAiServer(api_key=KEY, synthesise=synthesise, speed=SPEED)
    server.learn(clips)
    listening = socket.create_server(("127.0.0.1", 0))
    runner = await started(server, listening)
    yield listening.getsockname()[1]
    await runner.cleanup()


@pytest.fixture(scope="session")
def gemini_tls(tmp_path_factory):
    return loopback_tls(tmp_path_factory.mktemp("tls"))


@pytest.fixture
async def gemini_host(clips, gemini_tls):
    server = VoiceAiServer(api_key=KEY, gemini_key=GEMINI_KEY, synthesise=synthesise, speed=SPEED)
    server.learn(clips)
    plain, encrypted = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
    runner = await started(server, plain, encrypted=encrypted, tls=gemini_tls[0])
    yield Host(plain.getsockname()[1], encrypted.getsockname()[1], gemini_tls[1])
    await runner.cleanup()


@pytest.fixture
async def connect(port):
    """Opens sessions on the SDK; session.created has been read."""
    async with contextlib.AsyncExitStack() as stack:

        async def opened(**options):
            sdk = client(port)
            stack.push_async_callback(sdk.close)
            connection = await stack.enter_async_context(sdk.realtime.connect(model="gpt-realtime-2.1", **options))
            caller = Caller(connection)
            await caller.next_event()
            return caller

        yield opened


@pytest.fixture
async def caller(connect):
    """A configured session."""
    caller = await connect()
    await caller.configure()
    return caller
