"""The carrier's pure parts: signature, playback, ear, callee, settings."""

from __future__ import annotations

import subprocess
import sys

import pytest
from twilio.request_validator import RequestValidator

from apps.sandbox.carrier.callee import CalleeActor
from apps.sandbox.carrier.config import ConfigError, load_config
from apps.sandbox.carrier.ear import Ear
from apps.sandbox.carrier.playback import Playback
from apps.sandbox.carrier.tones import ToneEar, key_tone
from apps.sandbox.carrier.twilio.signing import signature
from apps.sandbox.carrier.twilio.webhooks import split_overrides
from apps.sandbox.personas import Line, all_lines, persona_for
from apps.sandbox.speech import FRAME_BYTES, SILENCE_BYTE, SILENCE_FRAME, silence, synthesise, tone
from tests.sandbox.carrier.telnyx.product import SIGNING_KEY

TOKEN = "0123456789abcdef0123456789abcdef"
FORM = {
    "CallSid": "CA00000000000000000000000000000001",
    "AccountSid": "AC00000000000000000000000000000001",
    "CallStatus": "completed",
    "SequenceNumber": "3",
    "To": "+15550100001",
}


@pytest.mark.parametrize(
    ("url", "params", "expected"),
    [
        ("https://voice.example.com/hooks/twilio/status?tenant=7", FORM, "q1auEyt74xMvv+gD7njPWQhHpxw="),
        ("https://voice.example.com/hooks/twilio/status?tenant=7", {}, "UtA80R9JtBcYh3txt3l8avr8jxM="),
        ("wss://voice.example.com/media/twilio/tok123", {}, "5LOqWp6l6HSbNa6dCm7Ixf+JHas="),
    ],
)
def test_signatures_are_those_the_sdk_accepts(url, params, expected):
    assert signature(TOKEN, url, params) == expected
    assert RequestValidator(TOKEN).validate(url, params, expected)


def test_playback_reaches_marks_in_step_with_its_audio():
    playback = Playback()
    assert playback.mark("empty") == ["empty"]
    playback.feed(b"a" * 400)
    assert playback.mark("first") == []
    playback.feed(b"b" * 80)
    assert playback.mark("second") == []
    assert playback.next_frame() == (b"a" * 160, [])
    assert playback.next_frame() == (b"a" * 160, [])
    assert playback.next_frame() == (b"a" * 80 + b"b" * 80, ["first", "second"])
    assert playback.next_frame() == (SILENCE_FRAME, [])


def test_clear_returns_every_pending_mark_once():
    playback = Playback()
    playback.feed(b"a" * 1600)
    playback.mark("one")
    playback.feed(b"a" * 1600)
    playback.mark("two")
    playback.next_frame()
    assert playback.waiting_ms == 380
    assert playback.clear() == ["one", "two"]
    assert playback.clear() == []
    assert playback.next_frame() == (SILENCE_FRAME, [])
    assert playback.mark("three") == ["three"]


def test_a_short_remainder_is_filled_with_silence():
    playback = Playback()
    playback.feed(b"a" * 10)
    assert playback.next_frame() == (b"a" * 10 + b"\xff" * 150, [])


def frames(mulaw: bytes) -> list[bytes]:
    return [mulaw[i : i + FRAME_BYTES] for i in range(0, len(mulaw), FRAME_BYTES)]


def test_the_ear_hears_one_utterance_per_sentence():
    ear, ended = Ear(), []
    for _ in range(2):
        ended += [ear.hear(frame) for frame in frames(synthesise("Good day, how are you?", "en", "b"))]
        ended += [ear.hear(SILENCE_FRAME) for _ in range(60)]
    assert sum(ended) == ear.n_utterances == 2


def test_a_click_is_no_utterance():
    ear = Ear()
    assert not any(ear.hear(frame) for frame in [b"\x00" * 160] * 3 + [SILENCE_FRAME] * 100)


class Rehearsal:
    """A callee on their own: say something to them, see what they do."""

    def __init__(self, number: str) -> None:
        self.intents: list[str] = []
        self.languages: list[str] = []
        self.keys: list[str] = []
        self.tones: list[str] = []
        self.hung_up_at: float | None = None
        self.n = self.n_heard = 0
        self.actor = CalleeActor(
            persona_for(number),
            on_line=self._say,
            on_heard=self._heard,
            on_key=self.keys.append,
            on_tone=self.tones.append,
            on_hang_up=self._hang_up,
        )

    def _say(self, line: Line) -> None:
        self.intents.append(line.intent)
        self.languages.append(line.language)

    def _heard(self) -> None:
        self.n_heard += 1

    def _hang_up(self) -> None:
        assert self.hung_up_at is None, "hung up twice"
        self.hung_up_at = self.n * 0.02

    def hear(self, mulaw: bytes) -> None:
        for frame in frames(mulaw):
            self.n += 1
            self.actor.tick(frame)

    def quiet(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.02)):
            self.n += 1
            self.actor.tick(SILENCE_FRAME)

    def say(self, seconds_after: float = 4.0) -> None:
        self.hear(synthesise("I am calling about your contract. Do you have a minute?", "en", "b"))
        self.quiet(seconds_after)


@pytest.mark.parametrize(
    ("number", "intents"),
    [
        ("+15550100100", ["greeting", "interested", "confirm", "goodbye"]),
        ("+15550100101", ["greeting", "busy_now", "goodbye"]),
        ("+15550100102", ["greeting", "not_interested", "goodbye"]),
        ("+15550100133", ["greeting", "opt_out", "goodbye"]),
        ("+15550100164", ["greeting", "callback_tomorrow_1500", "confirm", "goodbye"]),
        ("+15550100105", ["greeting", "wants_human", "confirm", "goodbye"]),
        ("+15550100106", ["greeting", "wrong_person", "goodbye"]),
        ("+15550100107", ["greeting", "interruption", "interested", "confirm", "goodbye"]),
        ("+15550100108", []),
        ("+15550100115", ["greeting", "are_you_robot", "interested", "confirm", "goodbye"]),
        ("+15550100117", ["greeting", "interested", "question_price", "confirm", "goodbye"]),
        ("+15550100120", ["greeting", "ask_repeat", "interested", "confirm", "goodbye"]),
        ("+15550100121", ["greeting", "who_is_calling", "not_interested", "goodbye"]),
        ("+15550100122", ["greeting", "send_information", "confirm", "goodbye"]),
        ("+15550100125", ["greeting", "are_you_robot", "opt_out", "goodbye"]),
    ],
)
def test_conversations_take_their_course(number, intents):
    rehearsal = Rehearsal(number)
    rehearsal.quiet(3)
    for _ in range(6):
        if rehearsal.hung_up_at is None:
            rehearsal.say(5)
    rehearsal.quiet(35)
    assert rehearsal.intents == intents
    assert rehearsal.hung_up_at is not None


def test_the_screener_puts_through_after_hearing_a_reason():
    rehearsal = Rehearsal("+15550100110")
    rehearsal.quiet(8)
    assert rehearsal.intents == ["screener"]
    rehearsal.say(10)
    assert rehearsal.intents == ["screener", "screener_connecting", "greeting"]


def test_nobody_speaking_is_asked_about_once_and_then_left():
    rehearsal = Rehearsal("+15550100100")
    rehearsal.quiet(60)
    assert rehearsal.intents == ["greeting", "still_there"]
    assert rehearsal.hung_up_at is not None
    assert 24 < rehearsal.hung_up_at < 30
    assert rehearsal.n_heard == 0


def test_an_interruption_starts_while_the_agent_speaks():
    rehearsal = Rehearsal("+15550100107")
    rehearsal.quiet(2)
    sentence = frames(synthesise("I would like to tell you about our new offer for your home and garden.", "en", "b"))
    rehearsal.hear(b"".join(sentence[:110]))
    assert rehearsal.intents == ["greeting", "interruption"]


def test_an_utterance_that_ends_under_the_callees_own_words_is_no_answer_to_them():
    rehearsal = Rehearsal("+15550100109")
    rehearsal.hear(synthesise("Hi.", "en", "b"))
    rehearsal.quiet(3)
    assert rehearsal.intents == ["voicemail_greeting"]


def test_the_fax_and_the_key_presser():
    rehearsal = Rehearsal("+15550100127")
    rehearsal.quiet(3)
    rehearsal.say()
    assert rehearsal.keys == ["9"]


@pytest.mark.parametrize(
    ("url", "base", "delivery"),
    [
        ("https://a.example/s", "https://a.example/s", (1, {"ct"}, 5.0, 15.0, 15.0)),
        (
            "https://a.example/s?x=1#rc=2&rp=5xx,ct&ct=3000&rt=8000&tt=12000",
            "https://a.example/s?x=1",
            (2, {"5xx", "ct"}, 3.0, 8.0, 12.0),
        ),
        ("https://a.example/s#rc=9&ct=1&nonsense", "https://a.example/s", (1, {"ct"}, 5.0, 15.0, 15.0)),
    ],
)
def test_connection_overrides_leave_the_signed_url(url, base, delivery):
    called, parsed = split_overrides(url)
    assert called == base
    times = parsed.timeouts
    assert (parsed.retries, parsed.retry_on, times.connect_s, times.read_s, times.total_s) == delivery


def test_settings_come_from_environment_files_and_options(tmp_path):
    secret = tmp_path / "token"
    secret.write_text("s3cret\n")
    environ = {"TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN_FILE": str(secret), "SANDBOX_SPEED": "4"}
    config = load_config(["--port", "8123", "--cps", "20", "--number", "+15550100500"], environ)
    assert (config.auth_token, config.speed, config.cps, config.port) == ("s3cret", 4.0, 20.0, 8123)
    assert config.owned_numbers == {"+15550100500"}
    assert "s3cret" not in repr(config)


def test_telnyx_needs_both_its_keys():
    environ = {"TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": "x", "TELNYX_API_KEY": "KEY1"}
    assert load_config([], environ).telnyx is None
    config = load_config([], environ | {"SANDBOX_TELNYX_SIGNING_KEY": SIGNING_KEY})
    assert config.telnyx is not None
    assert config.telnyx.api_key == "KEY1"
    assert "KEY1" not in repr(config)


def test_numbers_call_what_the_environment_says():
    environ = {
        "TWILIO_ACCOUNT_SID": "AC1",
        "TWILIO_AUTH_TOKEN": "x",
        "SANDBOX_TWILIO_SMS_URL": "http://127.0.0.1:8000/texts",
        "SANDBOX_TELNYX_WEBHOOK_URL": "http://127.0.0.1:8000/events",
        "TELNYX_CONNECTION_ID": "55",
    }
    twilio, telnyx = load_config([], environ).numbers
    assert (twilio.carrier, twilio.voice_url, twilio.sms_url) == ("twilio", "", "http://127.0.0.1:8000/texts")
    assert (telnyx.carrier, telnyx.webhook_url, telnyx.connection_id) == (
        "telnyx",
        "http://127.0.0.1:8000/events",
        "55",
    )
    with pytest.raises(ConfigError, match="voice_url"):
        load_config([], environ | {"SANDBOX_TWILIO_VOICE_URL": "nowhere"})


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"TWILIO_ACCOUNT_SID": "AC1"},
        {"TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN_FILE": "/nowhere"},
        {"TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": "x", "SANDBOX_SPEED": "fast"},
        {
            "TWILIO_ACCOUNT_SID": "AC1",
            "TWILIO_AUTH_TOKEN": "x",
            "TELNYX_API_KEY": "KEY1",
            "SANDBOX_TELNYX_SIGNING_KEY": "no key",
        },
    ],
)
def test_missing_settings_are_named(environ):
    with pytest.raises(ConfigError, match=r"TWILIO|SANDBOX"):
        load_config([], environ)


def test_a_menu_hears_a_key_in_the_audio():
    menu = Rehearsal("+15550100111")
    menu.hear(silence(2.0) + key_tone("1") + silence(5.0))
    assert menu.tones == ["1"]
    assert "ivr_connecting" in menu.intents


@pytest.mark.parametrize(
    ("digits", "languages"),
    [
        ("99900", ["es", "es", "es"]),
        ("99902", ["en", "es", "es"]),
        ("99933", ["es", "cs", "cs"]),
        ("99961", ["cs", "cs", "cs"]),
    ],
)
def test_some_insist_on_another_language(digits, languages):
    caller = Rehearsal(f"+15550{digits}")
    for _ in range(2):
        caller.hear(silence(6.0) + synthesise("Good day, this is Northwind.", "en", "b") + silence(1.0))
    caller.hear(silence(5.0))
    assert caller.intents[:3] == ["greeting", "other_language", "interested"]
    assert caller.languages[:3] == languages


class TestTones:
    @pytest.mark.parametrize("key", list("0123456789*#ABCD"))
    @pytest.mark.parametrize("duration_s", [0.06, 0.2])
    def test_every_key_is_heard_once_wherever_it_begins(self, key, duration_s):
        for offset in (0, 37, 100, 159):
            audio = SILENCE_BYTE * offset + key_tone(key, duration_s) + silence(0.1)
            ear = ToneEar()
            frames = [audio[i : i + FRAME_BYTES] for i in range(0, len(audio) - FRAME_BYTES + 1, FRAME_BYTES)]
            assert [found for frame in frames if (found := ear.hear(frame))] == [key]

    def test_a_key_pressed_twice_is_heard_twice(self):
        audio = key_tone("5") + silence(0.06) + key_tone("5")
        ear = ToneEar()
        frames = [audio[i : i + FRAME_BYTES] for i in range(0, len(audio), FRAME_BYTES)]
        assert [found for frame in frames if (found := ear.hear(frame))] == ["5", "5"]

    def test_speech_and_beeps_are_no_keys(self):
        ear = ToneEar()
        clips = [synthesise(line.text, line.language, voice) for line in all_lines()[::7] for voice in ("a", "b")]
        for clip in [*clips, tone(1000.0, 0.5), tone(2100.0, 0.5)]:
            frames = [clip[i : i + FRAME_BYTES] for i in range(0, len(clip), FRAME_BYTES)]
            assert not any(ear.hear(frame) for frame in frames)

    def test_there_are_sixteen_keys(self):
        with pytest.raises(ValueError, match="no key"):
            key_tone("E")


def test_the_carrier_imports_nothing_of_the_product():
    code = (
        "import sys, apps.sandbox.carrier.__main__; "
        "apps = [m for m in sys.modules if m.startswith('apps.') and not m.startswith('apps.sandbox')]; "
        "sys.exit(', '.join(apps + [m for m in sys.modules if m == 'django']) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
