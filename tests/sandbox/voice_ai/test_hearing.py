"""Turns of audio back to words."""

import numpy as np
import pytest

from apps.sandbox.speech import tone
from apps.sandbox.voice_ai.g711 import encode
from apps.sandbox.voice_ai.hearing import ClipIndex, words_within
from apps.sandbox.voice_ai.vad import AudioBuffer, IdleTimeout, SpeechStarted, SpeechStopped, VadSettings

from .client import SILENCE, clip, line, silence

SECOND = 8000


@pytest.fixture(scope="module")
def index(clips):
    return ClipIndex(clips)


def test_every_clip_is_recognised_as_itself(index, clips):
    for one, audio in clips:
        heard = index.recognise(silence(300) + audio + silence(500))
        assert (heard.text, heard.lines) == (one.text, (one,))


def test_lost_frames_at_both_ends_and_in_between_cost_no_word(index):
    audio = clip("opt_out", "es")
    frames = [audio[at : at + 160] for at in range(0, len(audio), 160)]
    kept = [frame for n, frame in enumerate(frames[3:-3]) if n % 17]
    assert index.recognise(b"".join(kept)).text == line("opt_out", "es").text


def test_stream_out_of_step_with_the_frames_is_recognised(index):
    assert index.recognise(b"\xff" * 73 + clip("interested", "cs")).text == line("interested", "cs").text


def test_interrupted_clip_gives_the_words_that_were_heard(index):
    audio, text = clip("callback_tomorrow_1500"), line("callback_tomorrow_1500").text
    first = index.recognise(audio[: len(audio) // 2 // 160 * 160]).text
    assert text.startswith(first)
    assert 3 <= len(first.split()) < len(text.split())
    last = index.recognise(audio[len(audio) // 2 // 160 * 160 :]).text
    assert text.endswith(last)


def test_clips_of_one_turn_are_joined_in_order(index):
    heard = index.recognise(clip("greeting") + silence(200) + clip("not_interested"))
    assert heard.text == f"{line('greeting').text} {line('not_interested').text}"
    assert heard.intents == ("greeting", "not_interested")


def test_somebody_else_is_unclear_also_after_a_clip(index):
    noise = np.random.default_rng(1).integers(0, 256, SECOND, dtype=np.uint8).tobytes()
    assert index.recognise(noise).text == "[unclear]"
    assert index.recognise(clip("greeting") + noise).text == f"{line('greeting').text} [unclear]"


def test_beep_is_a_tone_and_no_words(index):
    heard = index.recognise(silence(100) + tone(1000.0, 0.5) + silence(500))
    assert (heard.text, heard.lines) == ("", ())
    assert heard.tone_ms >= 460
    after = index.recognise(clip("voicemail_greeting") + silence(400) + tone(1000.0, 0.5))
    assert after.text == line("voicemail_greeting").text
    assert after.tone_ms >= 460


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [(0, 1, "one two three four"), (0.04, 0.95, "one two three four"), (0, 0.5, "one two"), (0.5, 1, "three four")],
)
def test_words_within_a_span(start, end, words):
    assert words_within("one two three four", start, end) == words


def feed(buffer, audio, step=160):
    return [heard for at in range(0, len(audio), step) for heard in buffer.append(audio[at : at + step])]


def voice(ms):
    return (b"\x20\xa0" * 80) * (ms // 20)


@pytest.mark.parametrize("step", [160, 100, 1000, 10**6])
def test_speech_is_found_where_it_is_however_it_is_chopped(step):
    buffer = AudioBuffer()
    started, stopped = feed(buffer, silence(1000) + voice(800) + silence(1000), step)
    assert started == SpeechStarted(700)  # less 300 ms of padding
    assert isinstance(stopped, SpeechStopped)
    assert stopped.at_ms == 2300
    assert len(stopped.audio) == (2300 - 700) * 8
    assert buffer.now_ms == 2800


def test_clicks_and_short_pauses_are_neither_speech_nor_its_end():
    buffer = AudioBuffer()
    assert feed(buffer, silence(200) + voice(20) + silence(300) + voice(20) + silence(300)) == []
    heard = feed(buffer, voice(400) + silence(400) + voice(400) + silence(600))
    assert [type(one) for one in heard] == [SpeechStarted, SpeechStopped]


def test_higher_threshold_wants_louder_speech():
    quiet = encode(np.full(80 * 40, 1000, np.int16))
    for threshold, n_heard in ((0.2, 2), (0.95, 0)):
        buffer = AudioBuffer()
        buffer.configure(VadSettings(threshold=threshold))
        assert len(feed(buffer, quiet + silence(600))) == n_heard


def test_idle_clock_starts_where_playback_ends():
    buffer = AudioBuffer()
    buffer.configure(VadSettings(idle_timeout_ms=5000))
    buffer.wait_for_speech_from(2000)
    assert feed(buffer, silence(6900)) == []
    (idle,) = feed(buffer, silence(200))
    assert isinstance(idle, IdleTimeout)
    assert (idle.start_ms, idle.at_ms) == (2000, 7000)
    assert feed(buffer, silence(9000)) == []


def test_long_silence_is_not_kept():
    buffer = AudioBuffer()
    feed(buffer, SILENCE * 3000)
    assert buffer.held_ms <= 4000
    assert buffer.now_ms == 60_000
    assert feed(buffer, voice(200) + silence(600))[0] == SpeechStarted(59_700)


def test_manual_mode_keeps_all_until_it_is_taken():
    buffer = AudioBuffer()
    buffer.configure(None)
    assert feed(buffer, voice(200) + silence(5000)) == []
    assert len(buffer.take()) == 5200 * 8
    assert buffer.held_ms == 0


def test_pause_in_a_clip_takes_no_words_with_it():
    one = line("interested", number=2)
    assert one.text == "Sure, I have a few minutes. What do you offer?"
    index = ClipIndex([(one, clip("interested", number=2))])
    heard = [found for found in feed(AudioBuffer(), clip("interested", number=2) + silence(600))]
    turns = [index.recognise(found.audio).text for found in heard if isinstance(found, SpeechStopped)]
    assert " ".join(turns) == one.text
    assert turns[0] in ("Sure, I have a few minutes.", one.text)
