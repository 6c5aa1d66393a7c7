from apps.calls.bridge.listening import CallerTurns
from apps.calls.media.frames import CallerTranscript, SpeechStarted, SpeechStopped


def test_times_are_on_the_clock_of_the_call_also_after_the_ai_was_opened_anew():
    caller = CallerTurns(offset_ms=0)
    caller.opened(5000)
    caller.started(SpeechStarted("u1", 200))
    caller.stopped(SpeechStopped("u1", 1400))
    turn = caller.said(CallerTranscript("u1", "Hello", is_final=True, language="en"), now_ms=9000)
    assert (turn.started_ms, turn.ended_ms, turn.text, turn.language) == (5200, 6400, "Hello", "en")


def test_pieces_add_up_and_the_final_wording_replaces_them():
    caller = CallerTurns(offset_ms=0)
    caller.started(SpeechStarted("u1", 0))
    assert caller.said(CallerTranscript("u1", "Dob"), now_ms=500).text == "Dob"
    assert caller.said(CallerTranscript("u1", "rý"), now_ms=600).text == "Dobrý"
    assert caller.said(CallerTranscript("u1", "Dobrý den.", is_final=True), now_ms=700).text == "Dobrý den."
    assert caller.n_waiting == 0


def test_words_of_an_utterance_nobody_announced_are_kept():
    caller = CallerTurns(offset_ms=0)
    turn = caller.said(CallerTranscript("u9", "Yes", is_final=True), now_ms=3000)
    assert (turn.started_ms, turn.ended_ms) == (3000, 3000)
    assert [turn.text for turn in caller.finished] == ["Yes"]


def test_an_utterance_that_ends_before_it_began_has_no_negative_length():
    caller = CallerTurns(offset_ms=0)
    caller.started(SpeechStarted("u1", 900))
    caller.stopped(SpeechStopped("u1", 700))
    turn = caller.said(CallerTranscript("u1", "Hm", is_final=True), now_ms=800)
    assert turn.ended_ms >= turn.started_ms
