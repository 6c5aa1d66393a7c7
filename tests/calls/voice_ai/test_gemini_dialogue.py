"""The order in which things may come, which no well-behaved server shows all of."""

import base64
from typing import Any

import pytest

from apps.calls.media.frames import (
    AiTranscript,
    Audio,
    CallerTranscript,
    SpeechStarted,
    SpeechStopped,
    ToolCall,
    TurnDone,
)
from apps.calls.voice_ai.gemini_dialogue import Dialogue

SPEECH, QUIET = 3000, 5
TONE = bytes([0, 40, 0, 216]) * 240  # 20 ms at 24 kHz


class Talk:
    def __init__(self) -> None:
        self.frames: list[Any] = []
        self.n_armed = 0
        self.n_idle = 0
        self.dialogue = Dialogue(emit=self.frames.append, arm=self._arm, on_idle=self._idle)

    def _arm(self) -> None:
        self.n_armed += 1

    def _idle(self) -> None:
        self.n_idle += 1

    def hear(self, level: int, ms: int) -> None:
        for _ in range(ms // 20):
            self.dialogue.hear(level, 20)

    def content(self, **content: Any) -> None:
        self.dialogue.take({"serverContent": content})

    def sound(self, ms: int = 100) -> None:
        data = base64.b64encode(TONE * (ms // 20)).decode()
        self.content(modelTurn={"parts": [{"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": data}}]})

    def says(self, text: str, ms: int = 100) -> None:
        self.sound(ms)
        self.content(outputTranscription={"text": text})

    def of(self, *kinds: type) -> list[Any]:
        return [frame for frame in self.frames if type(frame) in kinds]

    def kinds(self) -> list[type]:
        """In order, repeats left out."""
        kinds = [type(frame) for frame in self.frames]
        return [kind for n, kind in enumerate(kinds) if n == 0 or kinds[n - 1] is not kind]


@pytest.fixture
def talk() -> Talk:
    return Talk()


# ── When the caller speaks ──────────────────────────────────────────────────────────────────────────────────
def test_while_it_listens_our_own_ear_tells_when_the_caller_speaks(talk):
    talk.hear(QUIET, 400)
    talk.hear(SPEECH, 600)
    talk.hear(QUIET, 600)
    assert talk.frames == [SpeechStarted(talk.frames[0].item_id, 400), SpeechStopped(talk.frames[0].item_id, 1000)]


def test_while_it_speaks_only_the_provider_tells_of_an_interruption(talk):
    talk.says("Good day.")
    talk.hear(SPEECH, 600)
    assert not talk.of(SpeechStarted)
    talk.content(interrupted=True)
    assert len(talk.of(SpeechStarted)) == 1
    talk.hear(QUIET, 600)
    assert len(talk.of(SpeechStopped)) == 1


def test_an_interruption_by_somebody_too_soft_for_us_ends_all_the_same(talk):
    talk.says("Good day.")
    talk.hear(QUIET, 600)
    talk.content(interrupted=True)
    talk.content(turnComplete=True)
    talk.hear(QUIET, 600)
    assert [type(frame) for frame in talk.of(SpeechStarted, SpeechStopped)] == [SpeechStarted, SpeechStopped]


def test_speech_the_provider_spoke_over_is_told_once_it_listens_again(talk):
    talk.says("Good day.")
    talk.hear(SPEECH, 600)
    talk.content(turnComplete=True)
    [started] = talk.of(SpeechStarted)
    assert started.at_ms == 0


def test_where_it_tells_when_somebody_speaks_our_own_ear_is_not_asked(talk):
    talk.dialogue.take({"voiceActivity": {"type": "ACTIVITY_START"}})
    talk.dialogue.take({"voiceActivity": {"type": "ACTIVITY_END"}})
    talk.hear(SPEECH, 600)
    talk.hear(QUIET, 600)
    assert len(talk.of(SpeechStarted)) == len(talk.of(SpeechStopped)) == 1


def test_an_answer_means_that_the_caller_has_finished(talk):
    talk.hear(SPEECH, 600)
    talk.says("Yes.")
    assert talk.kinds()[:3] == [SpeechStarted, SpeechStopped, Audio]


# ── What the caller says ────────────────────────────────────────────────────────────────────────────────────
def test_pieces_are_whole_after_a_while_without_another(talk):
    talk.hear(SPEECH, 600)
    talk.content(inputTranscription={"text": "Yes, "})
    talk.hear(QUIET, 600)
    talk.content(inputTranscription={"text": "please."})
    talk.dialogue.quiet()
    [final] = [frame for frame in talk.of(CallerTranscript) if frame.is_final]
    assert (final.text, final.item_id) == ("Yes, please.", talk.of(SpeechStarted)[0].item_id)


def test_pieces_are_not_whole_while_the_caller_speaks_on(talk):
    talk.hear(SPEECH, 600)
    talk.content(inputTranscription={"text": "Yes, "})
    n_armed = talk.n_armed
    talk.dialogue.quiet()
    assert talk.n_armed == n_armed + 1
    assert not [frame for frame in talk.of(CallerTranscript) if frame.is_final]


def test_words_that_come_after_the_answer_has_begun_belong_to_what_was_answered(talk):
    talk.hear(SPEECH, 600)
    talk.hear(QUIET, 600)
    talk.says("Gladly.")
    talk.content(inputTranscription={"text": "Tell me more."})
    talk.dialogue.quiet()
    assert talk.of(CallerTranscript)[-1] == CallerTranscript(
        talk.of(SpeechStarted)[0].item_id, "Tell me more.", is_final=True
    )
    assert len(talk.of(SpeechStarted)) == 1


def test_speech_without_words_is_closed_in_the_end(talk):
    talk.hear(SPEECH, 600)
    talk.hear(QUIET, 600)
    for _ in range(10):
        talk.dialogue.quiet()
    assert talk.of(CallerTranscript) == [CallerTranscript(talk.of(SpeechStarted)[0].item_id, "", is_final=True)]


def test_the_next_utterance_closes_the_one_before(talk):
    talk.hear(SPEECH, 600)
    talk.content(inputTranscription={"text": "Well."})
    talk.hear(QUIET, 600)
    talk.hear(SPEECH, 400)
    first, second = talk.of(SpeechStarted)
    assert first.item_id != second.item_id
    assert talk.of(CallerTranscript)[-1] == CallerTranscript(first.item_id, "Well.", is_final=True)


def test_words_may_come_of_speech_too_soft_for_us(talk):
    talk.hear(QUIET, 400)
    talk.content(inputTranscription={"text": "Hm."})
    talk.dialogue.quiet()
    assert talk.kinds() == [SpeechStarted, CallerTranscript, SpeechStopped, CallerTranscript]


def test_after_the_line_is_gone_words_may_still_come(talk):
    talk.hear(SPEECH, 600)
    talk.dialogue.end_of_audio()
    assert len(talk.of(SpeechStopped)) == 1
    talk.content(inputTranscription={"text": "Bye."})
    talk.dialogue.quiet()
    assert talk.of(CallerTranscript)[-1].is_final


# ── What the AI says ────────────────────────────────────────────────────────────────────────────────────────
def test_each_answer_is_an_utterance_of_its_own(talk):
    for text in ("One.", "Two."):
        talk.says(text)
        talk.content(generationComplete=True)
        talk.content(turnComplete=True)
    finals = [frame for frame in talk.of(AiTranscript) if frame.is_final]
    assert [frame.text for frame in finals] == ["One.", "Two."]
    assert len({frame.item_id for frame in finals}) == 2


def test_a_last_word_after_the_sound_belongs_to_the_same_utterance(talk):
    talk.says("Good ")
    talk.content(generationComplete=True)
    talk.content(outputTranscription={"text": "day."})
    talk.content(turnComplete=True)
    last = talk.of(AiTranscript)[-1]
    assert (last.text, last.is_final) == ("Good day.", True)
    assert len({frame.item_id for frame in talk.of(AiTranscript)}) == 1
    assert len(talk.of(TurnDone)) == 1


def test_the_end_of_the_sound_leaves_the_filter_when_all_is_made(talk):
    talk.sound(100)
    talk.content(generationComplete=True)
    assert sum(frame.ms for frame in talk.of(Audio)) == 120  # with the end of the filter, filled up with silence


def test_after_an_interruption_nothing_more_of_it_is_played(talk):
    talk.says("Good day to ")
    talk.content(interrupted=True)
    n_sounds = len(talk.of(Audio))
    talk.says("you.")
    talk.content(turnComplete=True)
    assert len(talk.of(Audio)) == n_sounds
    assert talk.of(TurnDone) == [TurnDone("cancelled", has_speech=True)]
    talk.says("Yes?")
    assert talk.of(Audio)[-1].item_id != talk.of(Audio)[0].item_id


def test_an_interruption_without_an_end_of_the_turn_does_not_silence_the_next_answer(talk):
    talk.says("Good day.")
    talk.content(interrupted=True)
    talk.hear(SPEECH, 400)
    talk.hear(QUIET, 600)
    talk.says("Yes?")
    assert talk.of(AiTranscript)[-1].text == "Yes?"


def test_an_interruption_after_all_was_made_is_one_too(talk):
    talk.says("Good day.")
    talk.content(generationComplete=True)
    talk.content(interrupted=True)
    talk.content(turnComplete=True)
    assert talk.of(TurnDone) == [TurnDone("completed", has_speech=True)]
    assert len(talk.of(SpeechStarted)) == 1


def test_a_cut_of_our_own_ends_the_sound_too(talk):
    talk.says("Good day.")
    item_id = talk.of(Audio)[0].item_id
    talk.dialogue.cut(item_id)
    n_sounds = len(talk.of(Audio))
    talk.says("And so on.")
    assert len(talk.of(Audio)) == n_sounds


# ── Tools ───────────────────────────────────────────────────────────────────────────────────────────────────
def call(*ids: str) -> dict[str, Any]:
    return {"toolCall": {"functionCalls": [{"id": one, "name": "opt_out", "args": {}} for one in ids]}}


def test_the_response_is_done_when_a_tool_is_asked_for(talk):
    talk.says("One moment.")
    talk.dialogue.take(call("f1"))
    assert talk.kinds() == [Audio, AiTranscript, Audio, AiTranscript, ToolCall, TurnDone]
    assert talk.of(TurnDone) == [TurnDone("completed", has_speech=True)]


def test_what_follows_a_tool_is_another_response_in_the_same_turn(talk):
    talk.says("One moment.")
    talk.dialogue.take(call("f1"))
    talk.dialogue.open_tools.clear()
    talk.content(outputTranscription={"text": "Done."})  # words may come before their sound
    talk.sound()
    talk.content(turnComplete=True)
    assert [frame.text for frame in talk.of(AiTranscript) if frame.is_final] == ["One moment.", "Done."]
    assert talk.of(TurnDone) == [TurnDone("completed", has_speech=True)] * 2


def test_calls_that_were_taken_back_need_no_answer(talk):
    talk.dialogue.take(call("f1", "f2"))
    talk.dialogue.take({"toolCallCancellation": {"ids": ["f1"]}})
    assert list(talk.dialogue.open_tools) == ["f2"]
    talk.content(interrupted=True)
    assert not talk.dialogue.open_tools


# ── Silence ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_silence_is_counted_from_the_end_of_what_is_heard(talk):
    talk.dialogue.idle_ms = 5000
    talk.sound(2000)
    talk.content(turnComplete=True)
    talk.hear(QUIET, 6900)
    assert talk.n_idle == 0
    talk.hear(QUIET, 200)
    assert talk.n_idle == 1
    talk.hear(QUIET, 9000)
    assert talk.n_idle == 1  # it speaks up; then it waits anew


def test_nobody_is_asked_whether_they_are_there_while_they_speak(talk):
    talk.dialogue.idle_ms = 5000
    talk.sound()
    talk.content(turnComplete=True)
    for _ in range(4):
        talk.hear(SPEECH, 2000)
        talk.hear(QUIET, 400)
    assert talk.n_idle == 0


# ── A connection opened anew ────────────────────────────────────────────────────────────────────────────────
def test_after_a_reset_clocks_are_at_zero_and_numbers_go_on(talk):
    talk.hear(SPEECH, 600)
    talk.says("Good ")
    talk.dialogue.reset()
    talk.hear(SPEECH, 600)
    talk.says("day.")
    started = talk.of(SpeechStarted)
    assert (started[1].at_ms, len({frame.item_id for frame in started})) == (0, 2)
    assert len({frame.item_id for frame in talk.of(Audio)}) == 2


@pytest.mark.parametrize(
    "message",
    [
        {"serverContent": {"modelTurn": {"parts": [{"inlineData": {"mimeType": "audio/pcm"}}]}}},
        {"serverContent": {"modelTurn": {"parts": [{"inlineData": {"data": "A"}}]}}},
        {"toolCall": {"functionCalls": None}},
        {"toolCall": {"x": 1}},
        {"toolCall": {"functionCalls": [{}]}},
        {"serverContent": "yes"},
        {"usageMetadata": {"promptTokenCount": "many"}},
    ],
)
def test_what_makes_no_sense_is_said_to_make_none(talk, message):
    with pytest.raises((KeyError, TypeError, ValueError, AttributeError)):
        talk.dialogue.take(message)
