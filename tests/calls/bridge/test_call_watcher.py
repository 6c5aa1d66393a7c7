"""What follows from who picked up and from the language that is spoken."""

import asyncio
from dataclasses import replace

import pytest

from apps.calls.bridge.answering import Action, AnsweringPlan, Verdict
from apps.calls.bridge.call_watcher import CallWatcher
from apps.calls.bridge.commands import Command
from apps.calls.bridge.sink import Cause, SessionEnd, SpokenTurn
from apps.calls.media.frames import Audio, ToolCall
from apps.sandbox.speech import silence, tone
from tests.calls.bridge.fakes import make_plan


class Acts:
    """Notes what it is asked for."""

    def __init__(self) -> None:
        self.language = "en"
        self.now = 0
        self.asked: list[tuple] = []
        self.events: list[tuple[str, dict]] = []
        self.hear = None
        self.is_muted = False

    def now_ms(self) -> int:
        return self.now

    def start(self, work) -> None:
        asyncio.get_running_loop()
        with pytest.raises(StopIteration):
            work.send(None)

    def event(self, kind, data) -> None:
        self.events.append((kind, dict(data)))

    def listen_in(self, hear) -> None:
        self.hear = hear

    def mute(self, is_muted) -> None:
        self.is_muted = is_muted

    async def say(self, prompt) -> None:
        self.asked.append(("say", prompt))

    async def note(self, text) -> None:
        self.asked.append(("note", text))

    async def answer_tool(self, call, result) -> None:
        self.asked.append(("answer_tool", call.name, result))

    async def hush(self) -> None:
        self.asked.append(("hush",))

    async def change_language(self, language) -> None:
        self.language = language
        self.asked.append(("change_language", language))

    def end_when_heard(self, end) -> None:
        self.asked.append(("end_when_heard", end))

    def end(self, end) -> None:
        self.asked.append(("end", end))


@pytest.fixture
async def acts() -> Acts:
    return Acts()


def watch(acts: Acts, **given) -> CallWatcher:
    plan = replace(make_plan(), changes_to=frozenset({"en", "es", "cs"}), **given)
    watcher = CallWatcher(plan)
    watcher.began(acts)
    return watcher


def speaks(watcher: CallWatcher, acts: Acts, text: str, *, ms: int = 1000, language: str = "") -> None:
    watcher.caller_began(acts.now)
    acts.now += ms
    watcher.caller_stopped(acts.now)
    watcher.caller_said(SpokenTurn("i", "caller", text, 0, ms, language=language), is_final=True)


def verdicts(acts: Acts) -> list[str]:
    return [data["verdict"] for kind, data in acts.events if kind == "answer_verdict"]


VOICEMAIL = "You have reached my voicemail. Please leave a message after the tone."


async def test_a_message_is_left_after_the_beep_and_not_before(acts):
    watcher = watch(acts, answering=AnsweringPlan(message={"en": "Ada of Acme called."}))
    speaks(watcher, acts, VOICEMAIL, ms=4000)
    assert acts.is_muted, "the AI does not talk into the greeting"
    assert ("hush",) in acts.asked
    beep = tone(1000, 0.5) + silence(0.1)
    for at in range(0, len(beep) - 159, 160):
        if acts.hear is not None:
            acts.hear(Audio.of(beep[at : at + 160]))
    assert not acts.is_muted
    (said,) = [asked[1] for asked in acts.asked if asked[0] == "say"]
    assert "“Ada of Acme called.”" in said
    assert ("message_left", {"after": "beep"}) in acts.events
    end = ("end_when_heard", SessionEnd(Cause.AI_ENDED, "voicemail"))
    assert end not in acts.asked, "a response that was under way is not the message"
    watcher.ai_said(SpokenTurn("a", "ai", "Ada of Acme called.", 5000, 6000))
    assert end in acts.asked


async def test_an_ai_that_stays_dumb_does_not_hold_the_machine(acts):
    watcher = watch(acts)
    watcher.commanded(Command("machine_verdict", {"verdict": "machine", "answered_by": "machine_end_beep"}))
    acts.now = 30_001
    watcher.ticked()
    assert ("end", SessionEnd(Cause.AI_ENDED, "voicemail")) in acts.asked


async def test_nobody_talks_to_a_fax(acts):
    watch(acts).commanded(Command("machine_verdict", {"verdict": "fax", "answered_by": "fax"}))
    assert ("end", SessionEnd(Cause.AI_ENDED, "voicemail")) in acts.asked


async def test_without_a_beep_a_pause_will_do(acts):
    watcher = watch(acts)
    speaks(watcher, acts, VOICEMAIL)
    acts.now += 2400
    watcher.ticked()
    assert acts.is_muted
    acts.now += 200
    watcher.ticked()
    assert ("message_left", {"after": "pause"}) in acts.events


async def test_a_greeting_without_end_does_not_hold_the_call(acts):
    watcher = watch(acts)
    watcher.caller_began(0)
    watcher.caller_said(SpokenTurn("i", "caller", VOICEMAIL, 0, 0), is_final=False)
    acts.now = 30_001
    watcher.ticked()
    assert ("message_left", {"after": "time_limit"}) in acts.events


async def test_the_carriers_end_of_greeting_starts_the_message(acts):
    watcher = watch(acts)
    assert watcher.commanded(Command("machine_verdict", {"verdict": "machine", "answered_by": "machine_end_beep"}))
    assert ("message_left", {"after": "carrier"}) in acts.events


async def test_the_ai_may_not_hang_up_before_the_message(acts):
    watcher = watch(acts)
    speaks(watcher, acts, VOICEMAIL)
    assert watcher.tool_called(ToolCall("1", "end_call", "{}"))
    acts.now += 3000
    watcher.ticked()
    assert not watcher.tool_called(ToolCall("2", "end_call", "{}"))


async def test_the_ais_own_finding_counts(acts):
    watcher = watch(acts)
    assert watcher.tool_called(ToolCall("1", "leave_voicemail", "{}"))
    assert verdicts(acts) == ["voicemail"]
    assert acts.is_muted


async def test_hanging_up_on_machines_is_done_at_once(acts):
    watcher = watch(acts, answering=AnsweringPlan(actions={Verdict.VOICEMAIL: Action.HANG_UP}))
    speaks(watcher, acts, VOICEMAIL)
    assert ("end", SessionEnd(Cause.AI_ENDED, "voicemail")) in acts.asked


async def test_a_screener_is_answered_and_the_person_behind_it_is_a_person(acts):
    watcher = watch(acts)
    speaks(watcher, acts, "Please state your name and the reason for your call.", ms=2500)
    assert any(asked[0] == "note" and "screener" in asked[1] for asked in acts.asked)
    acts.now = 15_000
    speaks(watcher, acts, "Hello, Tom here.")
    assert verdicts(acts) == ["screener", "human"]


async def test_a_person_mistaken_for_a_machine_is_talked_to(acts):
    watcher = watch(acts)
    watcher.commanded(Command("machine_verdict", {"verdict": "machine", "answered_by": "machine_start"}))
    assert acts.is_muted
    watcher.commanded(Command("machine_verdict", {"verdict": "human", "answered_by": "human"}))
    assert not acts.is_muted
    assert verdicts(acts) == ["voicemail", "human"]


async def test_every_verdict_bears_its_evidence(acts):
    speaks(watch(acts), acts, VOICEMAIL)
    (data,) = [data for kind, data in acts.events if kind == "answer_verdict"]
    assert data["source"] == "transcript"
    assert data["evidence"]["words"]


async def test_the_conversation_follows_the_callers_language(acts):
    watcher = watch(acts)
    speaks(watcher, acts, "Perdone, pero no hablo nada de inglés.")
    assert acts.language == "es"
    (data,) = [data for kind, data in acts.events if kind == "language_changed"]
    assert (data["from"], data["to"]) == ("en", "es")
    assert data["heard"][-1]["source"] == "text"


async def test_what_a_machine_says_changes_no_language(acts):
    watcher = watch(acts)
    speaks(watcher, acts, "Este es mi buzón de voz. Deje su mensaje después de la señal.")
    assert acts.language == "en"


async def test_somebody_who_has_chosen_a_language_is_not_overruled(acts):
    watcher = watch(acts)
    assert not watcher.commanded(Command("change_language", {"language": "cs"})), "the session changes it"
    speaks(watcher, acts, "Perdone, pero no hablo nada de inglés.")
    assert acts.language == "en"


async def test_a_stream_that_takes_a_call_up_again_does_not_ask_who_picked_up(acts):
    from apps.calls.voice_ai.base import PastTurn

    watcher = watch(acts, history=[PastTurn("caller", "Hello?")])
    acts.now = 30_000
    watcher.ticked()
    assert verdicts(acts) == []
