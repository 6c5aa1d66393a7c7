import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.calls.bridge.turns import MARK_EVERY_MS, Playback


def said_and_sent(playback: Playback, item_id: str, pieces: list[tuple[str, float]], now: float = 0.0) -> None:
    for text, ms in pieces:
        playback.said(item_id, text, call_ms=0)
        playback.sent(item_id, ms, now=now, call_ms=0)


def test_audio_counts_as_played_at_the_pace_of_the_clock_and_never_beyond_what_was_sent():
    playback = Playback()
    playback.sent("a", 1000, now=10.0, call_ms=0)
    assert playback.played(10.4) == pytest.approx(400)
    assert playback.played(99.0) == 1000
    assert playback.is_drained(11.0)


def test_a_mark_tells_more_than_the_clock():
    playback = Playback()
    name = playback.sent("a", 1000, now=10.0, call_ms=0)
    playback.sent("a", 1000, now=10.0, call_ms=0)
    playback.reached(name, now=11.3)  # 300 ms late: the carrier began to play late
    assert playback.played(11.5) == pytest.approx(1200)


def test_after_a_silence_the_next_audio_plays_at_once():
    playback = Playback()
    playback.sent("a", 500, now=0.0, call_ms=0)
    playback.sent("b", 500, now=60.0, call_ms=60_000)
    assert playback.played(60.1) == pytest.approx(600)
    assert playback.utterances["b"].began_ms == 60_000


def test_an_utterance_that_waits_for_another_begins_when_that_one_is_over():
    playback = Playback()
    playback.sent("a", 3000, now=0.0, call_ms=100)
    playback.sent("b", 500, now=1.0, call_ms=1100)
    assert playback.utterances["b"].began_ms == 3100


def test_marks_are_asked_for_about_twice_a_second_and_at_the_end():
    playback = Playback()
    names = [playback.sent("a", 20, now=0.0, call_ms=0) for _ in range(60)]
    assert [i for i, name in enumerate(names) if name] == [24, 49]
    assert playback.mark() == "0-1200"
    assert playback.mark() is None
    assert MARK_EVERY_MS == 500


def test_marks_returned_by_a_clear_do_not_count_as_heard():
    playback = Playback()
    name = playback.sent("a", 2000, now=0.0, call_ms=0)
    cuts = playback.clear(0.5)
    assert [(cut.utterance.item_id, cut.heard_ms) for cut in cuts] == [("a", 500)]
    playback.sent("b", 1000, now=0.6, call_ms=600)
    playback.reached(name, now=0.7)
    assert playback.played(0.7) <= 101


def test_what_waits_behind_the_interrupted_utterance_was_not_heard_at_all():
    playback = Playback()
    playback.sent("a", 1000, now=0.0, call_ms=0)
    playback.sent("b", 1000, now=0.0, call_ms=0)
    assert [(cut.utterance.item_id, cut.heard_ms) for cut in playback.clear(0.25)] == [("a", 250), ("b", 0)]
    assert playback.is_cut("a")
    assert playback.is_cut("b")


def test_an_utterance_heard_to_its_end_is_not_cut():
    playback = Playback()
    playback.sent("a", 1000, now=0.0, call_ms=0)
    assert playback.clear(5.0) == []
    assert not playback.is_cut("a")


def test_an_utterance_still_being_made_is_cut_where_its_audio_ended():
    playback = Playback()
    said_and_sent(playback, "a", [("Hello there, ", 1000), ("how are ", 1000)])
    playback.said("a", "you today?", call_ms=0)  # words whose sound never came
    cuts = playback.clear(9.0, generating="a")
    assert cuts[0].heard_ms == 2000
    assert cuts[0].utterance.heard_text == "Hello there, how are"


def test_the_transcript_is_cut_at_the_word_that_was_being_spoken():
    playback = Playback()
    said_and_sent(playback, "a", [("One two three four ", 1000), ("five six seven eight", 1000)])
    playback.said_all("a", "One two three four five six seven eight", call_ms=0)
    [cut] = playback.clear(1.3)
    assert cut.utterance.heard_text == "One two three four five"
    assert cut.utterance.was_interrupted
    assert cut.utterance.ended_ms == 1300


def test_a_transcript_that_came_at_once_is_cut_in_proportion():
    playback = Playback()
    playback.sent("a", 4000, now=0.0, call_ms=0)
    playback.said_all("a", "aaaa bbbb cccc dddd", call_ms=0)
    [cut] = playback.clear(2.0)
    assert cut.utterance.heard_text == "aaaa bbbb"


def test_nothing_is_said_of_an_utterance_nobody_heard():
    playback = Playback()
    said_and_sent(playback, "a", [("Hello", 1000)])
    [cut] = playback.clear(0.0)
    assert cut.utterance.heard_text == ""


def test_what_was_heard_to_its_end_keeps_its_words_and_not_their_places():
    playback = Playback()
    said_and_sent(playback, "a", [("One ", 100), ("two ", 100), ("three ", 100), ("four.", 100)])
    playback.said("a", " Unspoken.", call_ms=0)
    said_and_sent(playback, "b", [("And ", 100), ("so on.", 100)], now=0.1)
    said_and_sent(playback, "c", [], now=0.1)
    playback.reached(playback.mark(), now=9.0)
    assert len(playback.utterances["a"].texts) == 2
    assert playback.utterances["a"].heard_text == "One two three four. Unspoken."
    playback.broke_off("a")
    assert playback.utterances["a"].heard_text == "One two three four."
    assert len(playback.utterances["b"].texts) == 2, "the last one may still be cut"


def test_words_that_come_after_their_sound_was_heard_are_kept():
    playback = Playback()
    playback.sent("a", 100, now=0.0, call_ms=0)
    playback.sent("b", 100, now=0.0, call_ms=0)
    playback.reached(playback.mark(), now=9.0)
    playback.said_all("a", "Late words.", call_ms=0)
    playback.broke_off("a")
    assert playback.utterances["a"].heard_text == "Late words."


def test_names_that_are_no_marks_of_ours_change_nothing():
    playback = Playback()
    playback.sent("a", 1000, now=0.0, call_ms=0)
    for name in ("", "x", "0-", "0--5", "0-1e3", "1-500", "0-" + "9" * 400):
        playback.reached(name, now=0.1)
        assert playback.played(0.2) == pytest.approx(200)


actions = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.sampled_from("abcd"), st.floats(1, 3000)),
        st.tuples(st.just("wait"), st.just(""), st.floats(0, 4)),
        st.tuples(st.just("mark"), st.just(""), st.integers(0, 30)),
        st.tuples(st.just("clear"), st.just(""), st.just(0)),
    ),
    max_size=60,
)


@given(actions)
def test_bookkeeping_holds_whatever_happens(steps):
    """Played ≤ sent; nobody heard more of an utterance than was sent of it; a cut utterance stays cut."""
    playback = Playback()
    now = 0.0
    names: list[str] = []
    sent: dict[str, float] = {}
    cut: set[str] = set()
    fresh = itertools.count()
    for action, letter, amount in steps:
        if action == "send":
            item_id = letter if not playback.is_cut(letter) else f"{letter}{next(fresh)}"
            name = playback.sent(item_id, amount, now=now, call_ms=int(now * 1000))
            sent[item_id] = sent.get(item_id, 0.0) + amount
            names += [name] if name else []
        elif action == "wait":
            now += amount
        elif action == "mark" and names:
            playback.reached(names[int(amount) % len(names)], now=now)
        elif action == "clear":
            for found in playback.clear(now):
                assert 0 <= found.heard_ms <= sent[found.utterance.item_id]
                cut.add(found.utterance.item_id)
            assert playback.is_drained(now)
            assert playback.lead_ms(now) == 0
        assert 0 <= playback.lead_ms(now) <= sum(sent.values()) + 1e-6
        assert all(playback.is_cut(item_id) for item_id in cut)
    for utterance in playback.utterances.values():
        assert utterance.ended_ms >= utterance.began_ms


@given(st.text(alphabet="ab ", min_size=1), st.lists(st.floats(1, 500), min_size=1, max_size=8), st.floats(0, 5000))
def test_a_cut_transcript_is_a_beginning_of_the_whole(text, chunks, heard):
    playback = Playback()
    size = -(-len(text) // len(chunks))
    for i, ms in enumerate(chunks):
        playback.said("a", text[i * size : (i + 1) * size], call_ms=0)
        playback.sent("a", ms, now=0.0, call_ms=0)
    playback.clear(heard / 1000)
    assert text.strip().startswith(playback.utterances["a"].heard_text)
