import pytest

from apps.calls.media.activity import Change, VoiceActivity

QUIET, SPEECH = 5, 3000


def hear(activity: VoiceActivity, *parts: tuple[int, int]) -> list[tuple[Change, int]]:
    """parts: level and milliseconds. Returns what changed, and when it was noticed."""
    changes = []
    for level, ms in parts:
        for _ in range(ms // 20):
            change = activity.hear(level)
            if change is not None:
                changes.append((change, int(activity.heard_ms)))
    return changes


def test_speech_is_noticed_and_its_beginning_and_end_are_told_in_hindsight():
    activity = VoiceActivity()
    assert hear(activity, (QUIET, 1000), (SPEECH, 600), (QUIET, 1000)) == [
        (Change.STARTED, 1120),
        (Change.STOPPED, 2100),
    ]
    assert (activity.started_ms, activity.stopped_ms) == (1000, 1600)


def test_a_click_is_no_speech():
    assert hear(VoiceActivity(), (QUIET, 200), (20_000, 60), (QUIET, 400), (20_000, 80), (QUIET, 600)) == []


def test_a_pause_between_words_is_no_end():
    changes = hear(VoiceActivity(), (SPEECH, 400), (QUIET, 400), (SPEECH, 400), (QUIET, 600))
    assert [change for change, _ in changes] == [Change.STARTED, Change.STOPPED]


@pytest.mark.parametrize("hum", [400, 900])
def test_a_steady_hum_becomes_the_silence_of_the_line(hum):
    activity = VoiceActivity()
    changes = hear(activity, (QUIET, 100), (hum, 8000))
    assert [change for change, _ in changes] == [Change.STARTED, Change.STOPPED]
    assert [change for change, _ in hear(activity, (hum * 6, 400), (hum, 2000))] == [Change.STARTED, Change.STOPPED]


def test_long_speech_is_no_hum():
    words = [(SPEECH, 300), (100, 60)] * 60
    assert [change for change, _ in hear(VoiceActivity(), *words, (QUIET, 600))] == [Change.STARTED, Change.STOPPED]


def test_who_knows_better_may_say_that_it_began():
    activity = VoiceActivity()
    hear(activity, (QUIET, 300))
    activity.begin()
    assert (activity.is_speaking, activity.started_ms) == (True, 300)
    assert [change for change, _ in hear(activity, (QUIET, 600))] == [Change.STOPPED]


def test_time_goes_by_the_sound_that_was_heard():
    activity = VoiceActivity()
    activity.hear(QUIET, 30)
    activity.hear(QUIET, 10)
    assert activity.heard_ms == 40
