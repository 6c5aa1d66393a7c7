"""The conversation as the language model is told it: of the AI's own words only those that were heard."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from apps.calls.voice_ai.base import PastTurn

# A sentence that was cut off while it was still being made: how long it would have been, roughly.
_MS_PER_CHARACTER = 60.0


@dataclass(slots=True)
class ToolUse:
    """A function the model calls. result: None until it is known. signature: what the service wants back with it."""

    id: str
    name: str
    arguments: str
    result: str | None = None
    signature: bytes | None = None


@dataclass(slots=True)
class Stretch:
    """Sentences whose sound comes in one piece."""

    text: str
    ms: float = 0.0
    is_complete: bool = False
    n_told: int = 0
    """Characters already passed on as transcript."""

    @property
    def likely_ms(self) -> float:
        return self.ms if self.is_complete else max(self.ms, len(self.text) * _MS_PER_CHARACTER)

    def heard_until(self, ms: float) -> str:
        """The words that were spoken by then, taking time to run evenly over the letters."""
        if ms <= 0 or not self.text:
            return ""
        n = int(len(self.text) * min(1.0, ms / self.likely_ms)) if self.likely_ms else 0
        if n >= len(self.text):
            return self.text
        if self.text[n].isspace():
            return self.text[:n].rstrip()
        return self.text[:n].rpartition(" ")[0].rstrip()


@dataclass(slots=True)
class CallerSaid:
    text: str


@dataclass(slots=True)
class Noted:
    """Something the model shall know: a key that was pressed, a hint."""

    text: str


@dataclass(slots=True)
class AiSaid:
    """One answer. heard_ms: None as long as all of it counts as heard."""

    item_id: str
    stretches: list[Stretch] = field(default_factory=list)
    tools: list[ToolUse] = field(default_factory=list)
    heard_ms: float | None = None

    @property
    def whole_text(self) -> str:
        return " ".join(stretch.text for stretch in self.stretches)

    @property
    def text(self) -> str:
        """What the caller heard of it."""
        if self.heard_ms is None:
            return self.whole_text
        left, parts = self.heard_ms, []
        for stretch in self.stretches:
            parts.append(stretch.heard_until(left))
            left -= stretch.likely_ms
        return " ".join(part for part in parts if part)

    def cut(self, heard_ms: float) -> None:
        total = sum(stretch.ms for stretch in self.stretches)
        is_whole = all(stretch.is_complete for stretch in self.stretches)
        if is_whole and heard_ms >= total:
            return
        self.heard_ms = heard_ms if self.heard_ms is None else min(self.heard_ms, heard_ms)


Item = CallerSaid | Noted | AiSaid


class Dialogue:
    def __init__(self, history: Sequence[PastTurn] = ()) -> None:
        self.items: list[Item] = []
        for n, turn in enumerate(history):
            if turn.speaker == "ai":
                self.items.append(AiSaid(f"past_{n}", [Stretch(turn.text, is_complete=True)]))
            else:
                self.items.append(CallerSaid(turn.text))

    def add(self, item: Item) -> None:
        self.items.append(item)

    def answer(self, item_id: str) -> AiSaid | None:
        """The AI's item of that name."""
        return next((one for one in reversed(self.items) if isinstance(one, AiSaid) and one.item_id == item_id), None)

    def tool(self, tool_call_id: str) -> ToolUse | None:
        for item in reversed(self.items):
            if isinstance(item, AiSaid):
                for tool in item.tools:
                    if tool.id == tool_call_id:
                        return tool
        return None

    @property
    def ends_with_answer(self) -> bool:
        return bool(self.items) and isinstance(self.items[-1], AiSaid)

    @property
    def waits_for_tools(self) -> bool:
        return any(tool.result is None for item in self.items if isinstance(item, AiSaid) for tool in item.tools)
