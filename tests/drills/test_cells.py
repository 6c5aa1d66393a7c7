"""Every carrier with every voice AI: a conversation with an interruption and a tool, whose provider is lost twice.

The first time it breaks off in the middle of a sentence and is found again; the second time it stays away, and the next
one of the virtual agent's list goes on. Both carriers talk at the same time, to the same pair of providers.
"""

import contextlib
import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from apps.calls.models import Call, CallEvent, Carrier, EndReason, Leg, Provider, Speaker, Turn, VoiceAIFallback
from apps.calls.services.placing import CallBrief, CallRequest, place_calls
from apps.calls.states import LegState, Outcome
from apps.core import breaker
from tests.factories.calls import make_callable, make_number, make_virtual_agent
from tests.stack import Stack, wait_for

SPEED = 2.0  # people have not much patience, and the waits for a lost provider are not sped up
NEXT = {Provider.OPENAI: Provider.GEMINI, Provider.GEMINI: Provider.DEEPGRAM, Provider.DEEPGRAM: Provider.OPENAI}
LLM = {Provider.DEEPGRAM: "openai:gpt-6-luna"}
INTERRUPTS = "07"  # talks over the agent, then is interested


@dataclass(frozen=True)
class Cell:
    carrier: str
    leg: Leg

    def events(self, kind: str) -> list[CallEvent]:
        return list(CallEvent.objects.filter(call_id=self.leg.call_id, kind=kind).order_by("at"))

    def has(self, kind: str) -> bool:
        return CallEvent.objects.filter(call_id=self.leg.call_id, kind=kind).exists()

    def turns(self, speaker: str) -> list[Turn]:
        return list(Turn.objects.filter(call_id=self.leg.call_id, speaker=speaker))

    def story(self) -> str:
        lines = [f"{event.at:%M:%S.%f} {event.kind} {event.data}" for event in self.leg.call.events.all()]
        lines += [f"{turn.at:%M:%S.%f} {turn.speaker}: {turn.text}" for turn in self.leg.call.turns.all()]
        return "\n".join([f"{self.carrier}, {self.leg.call.virtual_agent.provider}", *sorted(lines)])


@pytest.fixture(scope="module", autouse=True)
def _at_a_talking_pace(_running_stack: Stack) -> Iterator[None]:
    with _running_stack.sandbox_at(SPEED):
        for hook in ("twilio/answer", "telnyx/events"):  # the first one of a web process takes longer, and is refused
            with contextlib.suppress(urllib.error.HTTPError):
                urllib.request.urlopen(f"{_running_stack.origin}/hooks/{hook}/nobody", b"{}", timeout=30).close()
        yield


def sandbox_ai(stack: Stack, path: str, data: object = None, *, method: str = "") -> dict:
    request = urllib.request.Request(
        f"http://127.0.0.1:{stack.switches.ai_port}/_sandbox/{path}",
        None if data is None else json.dumps(data).encode(),
        method=method or ("GET" if data is None else "POST"),
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return dict(json.load(answer))


def make_agent(provider: Provider):
    agent = make_virtual_agent(
        provider=provider,
        llm=LLM.get(provider, ""),
        greeting="Hello {first_name}, this is {agent} from {company}.",
        instructions="Purpose: Your yearly heating check is due, and I can book it for you in a minute.\n"
        "Question: Shall I book you in for Thursday at ten in the morning?",
    )
    VoiceAIFallback.objects.create(virtual_agent=agent, provider=NEXT[provider], llm=LLM.get(NEXT[provider], ""))
    return agent


def all_of(cells: list[Cell], what: Callable[[Cell], object], say: str, timeout_s: float = 40) -> None:
    try:
        wait_for(lambda: all(what(cell) for cell in cells), say, timeout_s=timeout_s)
    except AssertionError as error:
        raise AssertionError("\n\n".join([str(error), *(cell.story() for cell in cells)])) from error


@pytest.mark.parametrize("provider", list(Provider))
def test_a_conversation_survives_its_provider_on_both_carriers(stack: Stack, provider: Provider):
    for service in Provider.values:
        breaker.close(service)
    sandbox_ai(stack, "faults", method="DELETE")
    # Third response: what it says to the interruption has been said, and it is in the middle of its pitch.
    sandbox_ai(stack, "faults", {"kind": "disconnect", "provider": provider, "sessions": 2, "response": 3})
    agent = make_agent(provider)
    brief = CallBrief(pace_key=f"cells-{provider}", calls_per_second=100.0)
    cells = []
    for carrier in Carrier.values:
        contact = make_callable(f"+12125556{len(cells)}{INTERRUPTS}", first_name="Olivia")
        number = make_number(carrier=carrier)
        (call,) = place_calls([CallRequest(contact, number, agent, brief)], now=timezone.now())
        assert isinstance(call, Call)
        cells.append(Cell(carrier, Leg.objects.get(call=call)))

    all_of(cells, lambda cell: cell.has("reconnected"), "they are lost and found again")
    sandbox_ai(stack, "faults", {"kind": "refuse", "provider": provider, "sessions": 100, "status": 503})
    sandbox_ai(stack, "faults", {"kind": "disconnect", "provider": provider, "live": True, "now": True})
    all_of(cells, lambda cell: cell.has("failed_over"), "the next one takes over")
    all_of(cells, lambda cell: Leg.objects.get(pk=cell.leg.pk).state == LegState.ENDED, "they end", 90)
    sandbox_ai(stack, "faults", method="DELETE")
    for cell in cells:
        try:
            check(stack, cell, provider)
        except AssertionError as error:
            raise AssertionError(f"{error}\n\n{cell.story()}") from error


def check(stack: Stack, cell: Cell, provider: Provider) -> None:
    cell.leg.refresh_from_db()
    call = Call.objects.get(pk=cell.leg.call_id)
    assert (call.outcome, call.end_reason) == (Outcome.ANSWERED, EndReason.AI_ENDED)
    said, heard, ours = (cell.turns(speaker) for speaker in (Speaker.AI, Speaker.CALLER, Speaker.SYSTEM))

    # An interruption is heard, and cuts what was said; a tool does its work.
    assert any(turn.was_interrupted for turn in said)
    assert call.disposition is not None
    assert call.disposition.code == "interested"
    assert cell.has("tool_called")

    # Lost in mid-sentence and found again; lost for good, and the next one goes on.
    [back] = [event for event in cell.events("reconnected") if event.data["voice_ai"] == provider]
    assert back.data["after_ms"] < 3000
    [over] = cell.events("failed_over")
    assert (over.data["from"], over.data["to"]) == (provider, NEXT[provider])
    losses = [event for event in cell.events("ai_failed") if event.data.get("is_lost")]
    assert {event.data["voice_ai"] for event in losses} == {provider}
    for turn in ours:
        assert min(abs((turn.at - loss.at).total_seconds()) for loss in losses) < 1.0

    # The next one speaks soon, knows what was said, and does not begin from the beginning.
    after = [turn for turn in said if turn.at > over.at]
    silent_from = max([over.at, *(end_of(turn) for turn in (*said, *ours) if turn.at <= over.at)])
    assert (after[0].at - silent_from).total_seconds() < 3.0
    assert not any(turn.text.startswith("Hello Olivia") for turn in after)
    assert "oodbye" in after[-1].text

    # Whatever the person said while the line was open is in the transcript; the call may end into their goodbye.
    transcript = set(words(" ".join(turn.text for turn in heard)))
    for line in spoken_into(stack, cell):
        assert set(words(line)) <= transcript, (line, transcript)


def end_of(turn: Turn) -> datetime:
    return turn.at + timedelta(milliseconds=turn.ended_ms - turn.started_ms)


def spoken_into(stack: Stack, cell: Cell) -> list[str]:
    """What the callee said into the open stream, by the carrier's own account."""
    [entry] = [entry for entry in stack.carrier("calls")["calls"] if entry["sid"] == cell.leg.carrier_call_id]
    opened_at = next(fact["at"] for fact in entry["history"] if fact["event"] == "stream_started")
    lines = [fact for fact in entry["history"] if fact["event"] == "callee_said" and fact["at"] > opened_at]
    assert lines
    return [line["text"] for line in lines if line["intent"] != "goodbye"]


def words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())
