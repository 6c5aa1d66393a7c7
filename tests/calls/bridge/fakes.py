"""The four things a session knows, under the hands of a test."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from apps.calls.bridge.limits import Limits
from apps.calls.bridge.plan import CallPlan, Engine
from apps.calls.bridge.session import Session
from apps.calls.bridge.sink import SessionEnd, SpokenTurn
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


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


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
        self.heard: list[Audio] = []
        self.did: list[tuple] = []
        self.n_dropped = 0

    async def open(self, brief: VoiceBrief, history: Sequence[PastTurn] = ()) -> None:
        if self.open_errors:
            raise self.open_errors.pop(0)
        self.opened.append(list(history))

    async def send_audio(self, audio: Audio) -> None:
        self.heard.append(audio)

    async def events(self) -> AsyncIterator[AiEvent]:
        while (event := await self.outgoing.get()) is not None:
            if isinstance(event, Exception):
                raise event
            yield event

    async def speak(self, prompt: str) -> None:
        self.did.append(("speak", prompt))

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

    def turn(self, turn: SpokenTurn) -> None:
        self.turns.append(turn)

    def partial(self, turn: SpokenTurn) -> None:
        self.partials.append(turn)

    def event(self, kind: str, data) -> None:
        self.events.append((kind, dict(data)))

    def usage(self, usage: Usage) -> None:
        self.usages.append(usage)

    async def run_tool(self, call: ToolCall) -> str:
        if self.tool_gate is not None:
            await self.tool_gate.wait()
        self.tools.append(call)
        return f"Done: {call.name}"

    async def close(self, end: SessionEnd) -> None:
        self.ends.append(end)

    def last(self, item_id: str) -> SpokenTurn:
        return [turn for turn in self.turns if turn.item_id == item_id][-1]


def make_plan(*, history: Sequence[PastTurn] = (), offset_ms: int = 0, **limits) -> CallPlan:
    given = {"tick_s": 0.01, "reconnect_delays_s": (0.0, 0.0), "linger_s": 0.3, **limits}
    brief = VoiceBrief(model="m", voice="v", instructions="i", language="en", languages=["en"])
    return CallPlan(
        call_id=1,
        leg_id=2,
        correlation_id="c",
        campaign_id=None,
        carrier_call_id="CA1",
        carrier="twilio",
        account_id="AC1",
        engines=[Engine("fake", {"en": brief})],
        language="en",
        greetings={"en": "Hello, an AI speaking."},
        time_zone="UTC",
        limits=Limits(**given),
        history=history,
        offset_ms=offset_ms,
    )


class Conversation:
    """A session running on fakes."""

    def __init__(self, **plan) -> None:
        self.clock = Clock()
        self.line, self.ai, self.sink = FakeLine(), FakeAI(), FakeSink()
        self.session = Session(
            line=self.line, voice_ai=self.ai, plan=make_plan(**plan), sink=self.sink, clock=self.clock
        )
        self._task: asyncio.Task[SessionEnd] | None = None

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
        self.clock.now += seconds
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
            self.clock.now += 0.05
            await asyncio.sleep(0.01)
        return await self.end()

    @property
    def is_running(self) -> bool:
        return self._task is not None and not self._task.done()

    @property
    def hung_up(self) -> bool:
        return len(self.line.of(HangUp)) == 1

    @property
    def n_clears(self) -> int:
        return len(self.line.of(Clear))
