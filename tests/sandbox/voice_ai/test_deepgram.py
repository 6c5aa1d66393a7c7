"""The sandbox's Deepgram by the official SDK, over the SDK's own connection."""

import asyncio
import contextlib
import socket

import aiohttp
import httpx
import pytest
from deepgram import AsyncDeepgramClient, transport
from deepgram.core.api_error import ApiError
from deepgram.environment import DeepgramClientEnvironment
from deepgram.listen.v1.types.listen_v1results import ListenV1Results
from deepgram.listen.v2.types.listen_v2turn_info import ListenV2TurnInfo
from deepgram.speak.v1.types.speak_v1text import SpeakV1Text
from websockets.exceptions import ConnectionClosedError

from apps.sandbox.speech import synthesise
from apps.sandbox.voice_ai.server import VoiceAiServer, started

from .client import KEY, clip, line, silence

DEEPGRAM_KEY = "0123456789abcdef"
NOVA = {
    "model": "nova-3",
    "language": "multi",
    "language_hint": ["en", "es", "cs"],
    "encoding": "mulaw",
    "sample_rate": 8000,
    "channels": 1,
    "interim_results": True,
    "endpointing": 500,
    "utterance_end_ms": 1000,
    "vad_events": True,
}
FLUX = {"model": "flux-general-multi", "encoding": "mulaw", "sample_rate": 8000, "language_hint": ["en", "es"]}
AURA = {"model": "aura-2-celeste-es", "encoding": "mulaw", "sample_rate": 8000}


@pytest.fixture(autouse=True)
def own_connection():
    """The product gives the SDK another one, for the whole process; here it is as it comes."""
    given = transport._active_async_factory
    transport.restore_transport()
    yield
    if given is not None:
        transport.install_transport(async_factory=given)


@pytest.fixture
def patience_s():
    """For how long it listens to nothing. As long as the real one, unless a test is about just that."""
    return 10.0


@pytest.fixture
async def port(clips, patience_s):
    server = VoiceAiServer(
        api_key=KEY, deepgram_key=DEEPGRAM_KEY, synthesise=synthesise, speed=40, listen_patience_s=patience_s
    )
    server.learn(clips)
    listening = socket.create_server(("127.0.0.1", 0))
    runner = await started(server, listening)
    yield listening.getsockname()[1]
    await runner.cleanup()


@pytest.fixture
def sdk(port):
    return client(port)


def client(port, key=DEEPGRAM_KEY):
    address = f"127.0.0.1:{port}"
    everything = DeepgramClientEnvironment(
        base=f"http://{address}", production=f"ws://{address}", agent=f"ws://{address}", agent_rest=f"http://{address}"
    )
    # It never asks over HTTP; making it ready to would take longer than a test.
    http = httpx.AsyncClient(verify=False)  # noqa: S501
    return AsyncDeepgramClient(api_key=key, environment=everything, httpx_client=http)


async def order(port, kind, **settings):
    address = f"http://127.0.0.1:{port}/_sandbox/faults"
    async with aiohttp.ClientSession() as http, http.post(address, json={"kind": kind, **settings}) as answer:
        assert answer.status == 201, await answer.text()


async def play(connection, sound, step=800):
    for at in range(0, len(sound), step):
        await connection.send_media(sound[at : at + step])
        await asyncio.sleep(0)


async def until(connection, wanted):
    """All messages up to the first that is wanted, each of a type the SDK knows."""
    seen = []
    async with asyncio.timeout(5):
        while True:
            message = await connection.recv()
            seen.append(message)
            if not isinstance(message, bytes):
                type(message).model_validate(message.model_dump())
            if wanted(message):
                return seen


def is_last(message):
    return isinstance(message, ListenV1Results) and message.speech_final


def is_kind(kind):
    return lambda message: getattr(message, "type", None) == kind


def words_of(messages):
    finals = [one for one in messages if isinstance(one, ListenV1Results) and one.is_final]
    return " ".join(one.channel.alternatives[0].transcript for one in finals).strip()


# ── Listen ──────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("language", ["en", "es", "cs"])
async def test_a_turn_is_heard_word_by_word_in_any_of_the_languages(sdk, language):
    async with sdk.listen.v1.connect(**NOVA) as connection:
        await play(connection, silence(200) + clip("opt_out", language) + silence(1700))
        seen = await until(connection, is_last)
        seen += await until(connection, is_kind("UtteranceEnd"))
    assert words_of(seen) == line("opt_out", language).text
    assert seen[0].type == "SpeechStarted"
    assert 0.0 <= seen[0].timestamp <= 0.3
    interims = [one for one in seen if isinstance(one, ListenV1Results) and not one.is_final]
    assert len(interims) > 3
    best = next(one for one in seen if is_last(one)).channel.alternatives[0]
    assert best.languages == [language]
    assert best.languages_hinted == ["en", "es", "cs"]
    assert {word.language for word in best.words} == {language}
    assert all(one.start <= other.start for one, other in zip(best.words, best.words[1:], strict=False))


async def test_a_long_turn_is_final_piece_by_piece(sdk):
    async with sdk.listen.v1.connect(**NOVA) as connection:
        await play(connection, clip("voicemail_greeting") + silence(700))
        seen = await until(connection, is_last)
    finals = [one for one in seen if isinstance(one, ListenV1Results) and one.is_final]
    assert len(finals) > 1
    assert [one.speech_final for one in finals] == [False] * (len(finals) - 1) + [True]
    assert words_of(seen) == line("voicemail_greeting").text


async def test_without_interim_results_only_the_end_is_told(sdk):
    quiet = {name: value for name, value in NOVA.items() if name not in ("interim_results", "utterance_end_ms")}
    async with sdk.listen.v1.connect(**quiet | {"vad_events": False}) as connection:
        await play(connection, clip("goodbye") + silence(700))
        seen = await until(connection, is_last)
    assert [one.is_final for one in seen] == [True]


async def test_what_there_is_can_be_asked_for(sdk):
    async with sdk.listen.v1.connect(**NOVA) as connection:
        await play(connection, clip("interested"))
        await connection.send_finalize()
        seen = await until(connection, lambda one: getattr(one, "from_finalize", False))
        assert words_of(seen) == line("interested").text
        await connection.send_close_stream()
        metadata = (await until(connection, is_kind("Metadata")))[-1]
        assert metadata.duration > 1
        with pytest.raises(Exception, match="1000"):
            await connection.recv()


@pytest.mark.parametrize("patience_s", [2.0])
async def test_a_silent_client_is_cut_off_and_one_that_says_so_is_not(sdk, patience_s):
    async with sdk.listen.v1.connect(**NOVA) as connection:
        for _ in range(5):
            await asyncio.sleep(0.5)
            await connection.send_keep_alive()
        with pytest.raises(ConnectionClosedError) as closed:
            await until(connection, is_last)
    assert closed.value.rcvd.code == 1011
    assert "net0001" in closed.value.rcvd.reason


async def test_noise_that_nobody_can_make_out_is_told_as_such(sdk):
    async with sdk.listen.v1.connect(**NOVA) as connection:
        await play(connection, synthesise("Bathtubs are heavy.", "en", "b") + silence(700))
        seen = await until(connection, is_last)
    assert words_of(seen) == "[unclear]"


async def test_unknown_messages_are_refused(sdk):
    async with sdk.listen.v1.connect(**NOVA) as connection:
        await connection._send({"type": "Hello"})
        error = (await until(connection, is_kind("Error")))[-1]
        assert error.variant == "SchemaError"


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "nova-99"},
        {"language": "en"},
        {"utterance_end_ms": 500},
        {"encoding": "opus"},
        {"sample_rate": 44_100},
    ],
)
async def test_what_makes_no_sense_is_refused_with_its_reason(sdk, changes):
    with pytest.raises(ApiError) as error:
        async with sdk.listen.v1.connect(**NOVA | changes):
            pass
    assert error.value.status_code == 400
    assert error.value.__context__.headers["dg-error"].startswith("Bad Request")


async def test_a_wrong_key_is_refused(port):
    with pytest.raises(ApiError) as error:
        async with client(port, "wrong").listen.v1.connect(**NOVA):
            pass
    assert error.value.status_code == 401
    assert error.value.__context__.headers["dg-error"] == "Invalid credentials."


# ── Flux ────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_flux_tells_a_turn_from_beginning_to_end(sdk):
    async with sdk.listen.v2.connect(**FLUX) as connection:
        for intent in ("interested", "confirm"):
            await play(connection, clip(intent, "es") + silence(700), step=640)
            seen = await until(connection, lambda one: getattr(one, "event", None) == "EndOfTurn")
            turns = [one for one in seen if isinstance(one, ListenV2TurnInfo)]
            assert turns[0].event == "StartOfTurn"
            assert all(len(one.transcript) <= len(turns[-1].transcript) for one in turns)
            assert turns[-1].transcript == line(intent, "es").text
            assert turns[-1].languages == ["es"]
    assert turns[-1].turn_index == 1


async def test_flux_understands_no_czech(sdk):
    async with sdk.listen.v2.connect(**FLUX) as connection:
        await play(connection, clip("interested", "cs") + silence(700), step=640)
        await play(connection, clip("interested", "en") + silence(700), step=640)
        seen = await until(connection, lambda one: getattr(one, "event", None) == "EndOfTurn")
    assert seen[-1].transcript == line("interested", "en").text


async def test_flux_ends_a_turn_when_told_to(sdk):
    async with sdk.listen.v2.connect(**FLUX) as connection:
        await play(connection, clip("interested"), step=640)
        await connection.send_force_end_turn()
        seen = await until(connection, lambda one: getattr(one, "event", None) == "EndOfTurn")
        assert seen[-1].trigger == "manual"
        await connection._send({"type": "KeepAlive"})
        assert (await until(connection, is_kind("Error")))[-1].code == "DATA-0001"


# ── Speak ───────────────────────────────────────────────────────────────────────────────────────────────────
async def test_what_is_flushed_is_spoken_in_its_language(sdk):
    async with sdk.speak.v1.connect(**AURA) as connection:
        await connection.send_text(SpeakV1Text(text="Buenos días."))
        await connection.send_text(SpeakV1Text(text="¿Qué tal?"))
        await connection.send_flush()
        seen = await until(connection, is_kind("Flushed"))
    assert seen[0].model_name == "aura-2-celeste-es"
    sound = b"".join(one for one in seen if isinstance(one, bytes))
    assert sound == synthesise("Buenos días. ¿Qué tal?", "es", "b")


async def test_linear_sound_is_twice_as_large(sdk):
    async with sdk.speak.v1.connect(**AURA | {"encoding": "linear16"}) as connection:
        await connection.send_text(SpeakV1Text(text="Hola."))
        await connection.send_flush()
        seen = await until(connection, is_kind("Flushed"))
    assert sum(len(one) for one in seen if isinstance(one, bytes)) == 2 * len(synthesise("Hola.", "es", "b"))


async def test_clear_silences_what_was_to_come(sdk):
    async with sdk.speak.v1.connect(**AURA) as connection:
        await connection.send_text(SpeakV1Text(text="Esta es una frase muy larga que nadie quiere oír hasta el final."))
        await connection.send_flush()
        await until(connection, lambda one: isinstance(one, bytes))
        await connection.send_clear()
        seen = await until(connection, is_kind("Cleared"))
        await connection.send_text(SpeakV1Text(text="Adiós."))
        await connection.send_flush()
        after = await until(connection, is_kind("Flushed"))
    assert not any(is_kind("Flushed")(one) for one in seen)
    assert b"".join(one for one in after if isinstance(one, bytes)) == synthesise("Adiós.", "es", "b")


async def test_too_many_flushes_are_ignored_with_a_warning(sdk):
    async with sdk.speak.v1.connect(**AURA) as connection:
        for _ in range(21):
            await connection.send_flush()
        seen = await until(connection, is_kind("Warning"))
    assert seen[-1].code == "EXCESSIVE_FLUSH"


async def test_closing_says_what_is_left_first(sdk):
    async with sdk.speak.v1.connect(**AURA) as connection:
        await connection.send_text(SpeakV1Text(text="Adiós."))
        await connection.send_close()
        sound = [one async for one in connection if isinstance(one, bytes)]
    assert b"".join(sound) == synthesise("Adiós.", "es", "b")


@pytest.mark.parametrize("model", ["aura-2-novak-cs", "flux-haley-en", "tts-1"])
async def test_a_voice_there_is_not_is_refused(sdk, model):
    with pytest.raises(ApiError) as error:
        async with sdk.speak.v1.connect(**AURA | {"model": model}):
            pass
    assert error.value.status_code == 400


# ── Trouble to order ────────────────────────────────────────────────────────────────────────────────────────
async def test_a_handshake_is_refused_when_ordered(port, sdk):
    await order(port, "refuse", provider="deepgram/speak", status=429, retry_after_s=7)
    async with sdk.listen.v1.connect(**NOVA):
        pass
    with pytest.raises(ApiError) as error:
        async with sdk.speak.v1.connect(**AURA):
            pass
    assert error.value.status_code == 429
    assert error.value.__context__.headers["Retry-After"] == "7"


async def test_a_provider_as_a_whole_breaks_where_it_speaks(port, sdk):
    await order(port, "disconnect", provider="deepgram", code=None, response=2)
    async with sdk.listen.v1.connect(**NOVA), sdk.speak.v1.connect(**AURA) as connection:
        await connection.send_text(SpeakV1Text(text="Uno."))
        await connection.send_flush()
        await until(connection, is_kind("Flushed"))
        await connection.send_text(SpeakV1Text(text="Dos."))
        await connection.send_flush()
        with pytest.raises(ConnectionClosedError):
            await until(connection, is_kind("Flushed"))


async def test_listening_breaks_in_the_middle_of_a_turn_when_ordered(port, sdk):
    await order(port, "disconnect", provider="deepgram/listen", code=1011, reason="NET-0000")
    async with sdk.listen.v1.connect(**NOVA) as connection:
        with contextlib.suppress(ConnectionClosedError):
            await play(connection, clip("opt_out") + silence(700))
        with pytest.raises(ConnectionClosedError) as closed:
            await until(connection, is_last)
    assert closed.value.rcvd.code == 1011


async def test_a_slow_voice_is_late(port, sdk):
    await order(port, "slow", provider="deepgram/speak", delay_ms=8000)
    began = asyncio.get_running_loop().time()
    async with sdk.speak.v1.connect(**AURA) as connection:
        await connection.send_text(SpeakV1Text(text="Hola."))
        await connection.send_flush()
        await until(connection, is_kind("Flushed"))
    assert asyncio.get_running_loop().time() - began > 0.2


async def test_sessions_are_reported(port, sdk):
    async with sdk.listen.v1.connect(**NOVA) as connection:
        await play(connection, clip("opt_out") + silence(700))
        await until(connection, is_last)
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"http://127.0.0.1:{port}/_sandbox/sessions") as answer,
        ):
            [session] = (await answer.json())["sessions"]
    assert session["provider"] == "deepgram/listen"
    assert session["turns"] == [{"who": "caller", "text": line("opt_out").text, "intents": ["opt_out"]}]
    assert session["audio_in_bytes"] == len(clip("opt_out") + silence(700))
