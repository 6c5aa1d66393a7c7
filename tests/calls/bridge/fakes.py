"""What a session knows, under the hands of a test: line, voice AIs, sink, recorder, and time itself."""

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from apps.calls.bridge.limits import Limits
from apps.calls.bridge.phrase_book import NO_PHRASES, Phrase, PhraseBook
from apps.calls.bridge.plan import CallPlan, Engine
from apps.calls.bridge.recording import NO_RECORDER
from apps.calls.bridge.session import Session
from apps.calls.bridge.sink import SessionEnd, SpokenTurn, ToolResult
from apps.calls.media.frames import (
    PCMU_8K,
    AiEvent,
    AiTranscript,
    Audio,
    Clear,
    HangUp,
    LineFrame,
    Mark,
    MarkReached,
    StreamStopped,
    ToLine,
    ToolCall,
    TurnDone,
    Usage,
)
from apps.calls.voice_ai.base import Capabilities, PastTurn, VoiceAIError, VoiceBrief

FRAME = Audio.of(b"\x55" * 160)


def _phrase(text: str, ms: int) -> Phrase:
    return Phrase(text, [Audio.of(b"\x33" * (ms * 8))])


PHRASES = PhraseBook(
    waits={"en": [_phrase("One moment.", 1000), _phrase("Still here.", 1000)], "es": [_phrase("Un momento.", 1000)]},
    apology={"en": _phrase("Sorry, we call back.", 2000)},
    transfer={"en": _phrase("Sorry, here is a colleague.", 2000)},
)


class Clock:
    """Time that passes when a test says so; who sleeps wakes in order."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._n = itertools.count()

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now + seconds, next(self._n), woken))
        await woken

    def next_before(self, until: float) -> bool:
        """Go on to the next one to be woken up to then, and wake it; False if there is none."""
        while self._sleepers and self._sleepers[0][0] <= until:
            at, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                self.now = max(self.now, at)
                woken.set_result(None)
                return True
        self.now = until
        return False


class FakeLine:
    def __init__(self) -> None:
        self.incoming: asyncio.Queue[LineFrame | Exception | None] = asyncio.Queue()
        self.sent: list[ToLine] = []

    async def frames(self) -> AsyncIterator[LineFrame]:
        while (frame := await self.incoming.get()) is not None:
            if isinstance(frame, Exception):
                raise frame
            yield frame

    async def send(self, frame: ToLine) -> None:
        self.sent.append(frame)

    def of(self, kind: type) -> list:
        return [frame for frame in self.sent if type(frame) is kind]


class FakeAI:
    name = "fake"
    capabilities = Capabilities(
        formats_in=frozenset({PCMU_8K}),
        formats_out=frozenset({PCMU_8K}),
        hears=frozenset({"en"}),
        speaks=frozenset({"en"}),
        voices={},
        models=("m",),
        server_turns=True,
        tools=True,
        resumable=False,
        is_told_cuts=True,
    )

    def __init__(self) -> None:
        self.outgoing: asyncio.Queue[AiEvent | Exception | None] = asyncio.Queue()
        self.open_errors: list[VoiceAIError] = []
        self.opened: list[list[PastTurn]] = []
        self.briefs: list[VoiceBrief] = []
        self.heard: list[Audio] = []
        self.did: list[tuple] = []
        self.n_dropped = 0

    async def open(self, brief: VoiceBrief, history: Sequence[PastTurn] = ()) -> None:
        if self.open_errors:
            raise self.open_errors.pop(0)
        self.briefs.append(brief)
        self.opened.append(list(history))

    async def send_audio(self, audio: Audio) -> None:
        self.heard.append(audio)

    async def events(self) -> AsyncIterator[AiEvent]:
        while (event := await self.outgoing.get()) is not None:
            if isinstance(event, Exception):
                raise event
            yield event

    def forget_unsent(self) -> None:
        self.did.append(("forget",))

    async def speak(self, prompt: str) -> None:
        self.did.append(("speak", prompt))

    async def note(self, text: str) -> None:
        self.did.append(("note", text))

    async def change(self, brief: VoiceBrief) -> None:
        self.did.append(("change", brief.language))

    async def cut(self, item_id: str, heard_ms: int) -> None:
        self.did.append(("cut", item_id, heard_ms))

    async def answer_tool(self, tool_call_id: str, result: str, *, respond: bool = True) -> None:
        self.did.append(("answer", tool_call_id, result, respond))

    async def end_of_caller_audio(self) -> None:
        self.did.append(("end_of_audio",))

    async def close(self) -> None:
        self.did.append(("close",))

    def all(self, kind: str) -> list[tuple]:
        return [done for done in self.did if done[0] == kind]


@dataclass
class FakeSink:
    turns: list[SpokenTurn] = field(default_factory=list)
    partials: list[SpokenTurn] = field(default_factory=list)
    events: list[tuple[str, dict]] = field(default_factory=list)
    usages: list[Usage] = field(default_factory=list)
    tools: list[ToolCall] = field(default_factory=list)
    ends: list[SessionEnd] = field(default_factory=list)
    tool_gate: asyncio.Event | None = None
    result: ToolResult | None = None
    providers: list[str] = field(default_factory=list)
    n_given_up: int = 0

    def turn(self, turn: SpokenTurn) -> None:
        self.turns.append(turn)

    def partial(self, turn: SpokenTurn) -> None:
        self.partials.append(turn)

    def event(self, kind: str, data) -> None:
        self.events.append((kind, dict(data)))

    def usage(self, usage: Usage) -> None:
        self.usages.append(usage)

    def joined(self, provider: str, model: str) -> None:
        self.providers.append(provider)

    async def give_up(self) -> None:
        self.n_given_up += 1

    async def run_tool(self, call: ToolCall) -> ToolResult:
        if self.tool_gate is not None:
            await self.tool_gate.wait()
        self.tools.append(call)
        return self.result or ToolResult(f"Done: {call.name}")

    async def close(self, end: SessionEnd) -> None:
        self.ends.append(end)

    def last(self, item_id: str) -> SpokenTurn:
        return [turn for turn in self.turns if turn.item_id == item_id][-1]


def make_plan(
    *,
    history: Sequence[PastTurn] = (),
    offset_ms: int = 0,
    providers: Sequence[str] = ("fake",),
    last_resort_transfer_to: str = "",
    opening_prompt: str = "",
    owes_greeting: bool = False,
    **limits,
) -> CallPlan:
    def brief(language: str) -> VoiceBrief:
        return VoiceBrief(model="m", voice="v", instructions="i", language=language, languages=["en", "es"])

    return CallPlan(
        call_id=1,
        leg_id=2,
        correlation_id="c",
        campaign_id=None,
        carrier_call_id="CA1",
        carrier="twilio",
        account_id="AC1",
        engines=[Engine(provider, {"en": brief("en"), "es": brief("es")}) for provider in providers],
        language="en",
        greetings={"en": "Hello, an AI speaking.", "es": "Hola, le habla una IA."},
        time_zone="UTC",
        limits=Limits(**{"tick_s": 0.25, "media_idle_s": 1e9} | limits),
        history=history,
        offset_ms=offset_ms,
        last_resort_transfer_to=last_resort_transfer_to,
        opening_prompt=opening_prompt,
        owes_greeting=owes_greeting,
    )


class Conversation:
    """A session running on fakes. ais: one by provider, None where there is none; ai: the first one's."""

    def __init__(
        self,
        *,
        providers: Sequence[str] = ("fake",),
        watcher=None,
        recorder=NO_RECORDER,
        phrases=NO_PHRASES,
        jitter=0.5,
        **plan,
    ) -> None:
        self.clock = Clock()
        self.line, self.sink = FakeLine(), FakeSink()
        self.ais: dict[str, FakeAI | None] = {provider: FakeAI() for provider in providers}
        self.ai = self.ais[providers[0]]
        self.session = Session(
            line=self.line,
            voice_ai_for=self._voice_ai_for,
            plan=make_plan(providers=providers, **plan),
            sink=self.sink,
            recorder=recorder,
            watcher=watcher,
            clock=self.clock,
            sleep=self.clock.sleep,
            phrases=phrases,
            jitter=lambda: jitter,
        )
        self._task: asyncio.Task[SessionEnd] | None = None

    def _voice_ai_for(self, provider: str) -> FakeAI:
        found = self.ais[provider]
        if found is None:
            raise VoiceAIError("voice_ai_not_configured", retryable=False)
        return found

    def start(self) -> "Conversation":
        self._task = asyncio.create_task(self.session.run())
        return self

    async def settle(self) -> None:
        """Let everything that can run now run."""
        for _ in range(30):
            await asyncio.sleep(0)

    async def says(self, *events: AiEvent) -> None:
        for event in events:
            self.ai.outgoing.put_nowait(event)
        await self.settle()

    async def speaks(self, item_id: str, text: str, ms: int, *, done: bool = True) -> None:
        """The AI says something, all of whose audio arrives now."""
        await self.says(AiTranscript(item_id, text), Audio.of(b"\x55" * (ms * 8), item_id=item_id))
        if done:
            await self.says(AiTranscript(item_id, text, is_final=True), TurnDone("completed", has_speech=True))

    async def hears(self, *frames: LineFrame | Exception | None) -> None:
        for frame in frames:
            self.line.incoming.put_nowait(frame)
        await self.settle()

    async def wait(self, seconds: float) -> None:
        """Let time pass."""
        until = self.clock.now + seconds
        while self.clock.next_before(until):
            await self.settle()
        await self.settle()

    async def played(self) -> None:
        """The carrier has played everything."""
        marks = self.line.of(Mark)
        if marks:
            await self.hears(MarkReached(marks[-1].name))

    async def end(self) -> SessionEnd:
        assert self._task is not None
        return await asyncio.wait_for(self._task, 5)

    async def hang_up(self) -> SessionEnd:
        """The caller hangs up; time passes until the session has ended."""
        await self.hears(StreamStopped())
        while self.is_running:
            await self.wait(0.05)
        return await self.end()

    @property
    def is_running(self) -> bool:
        return self._task is not None and not self._task.done()

    @property
    def hung_up(self) -> bool:
        return len(self.line.of(HangUp)) == 1

    async def lose(self, provider: str = "", error: Exception | None = None) -> None:
        """The provider breaks off."""
        ai = self.ais[provider] if provider else self.ai
        assert ai is not None
        ai.outgoing.put_nowait(error or VoiceAIError("closed_1006", retryable=True))
        await self.settle()

    def told(self, kind: str) -> list[dict]:
        """The events of a kind."""
        return [data for found, data in self.sink.events if found == kind]

    @property
    def spoken_by_us(self) -> list[SpokenTurn]:
        return [turn for turn in self.sink.turns if turn.speaker == "system"]

    @property
    def n_clears(self) -> int:
        return len(self.line.of(Clear))
