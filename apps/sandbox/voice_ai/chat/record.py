"""What was asked and answered, by caller: requests of one conversation repeat all that came before."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final
from uuid import uuid4

from ..scene import Call, Turn

_REMEMBERED: Final = 500


@dataclass(slots=True)
class ChatRecord:
    id: str
    model: str
    safety_identifier: str
    opened_at: float = field(default_factory=time.time)
    n_requests: int = 0
    usage: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    turns: list[dict[str, Any]] = field(default_factory=list)
    tool_calls: list[dict[str, Any]] = field(default_factory=list)


class ChatRecords:
    def __init__(self) -> None:
        self._records: OrderedDict[str, ChatRecord] = OrderedDict()

    def of(self, body: Mapping[str, Any]) -> ChatRecord:
        """The conversation a request belongs to; without a name each is one of its own."""
        caller = str(body.get("safety_identifier") or uuid4())
        record = self._records.get(caller)
        if record is None:
            record = self._records[caller] = ChatRecord(f"chat_{uuid4().hex[:16]}", str(body["model"]), caller)
            if len(self._records) > _REMEMBERED:
                self._records.popitem(last=False)
        self._records.move_to_end(caller)
        return record

    def note(self, record: ChatRecord, history: Sequence[Turn], text: str, calls: Sequence[Call]) -> None:
        """The history as the client tells it, and the answer to it."""
        record.n_requests += 1
        outputs = {turn.call_id: turn.text for turn in history if turn.who == "result"}
        record.turns = [
            {"who": turn.who, "text": turn.text, "intents": list(turn.intents)}
            for turn in (*history, *([Turn("ai", text)] if text else ()))
            if turn.who in ("caller", "ai", "silence")
        ]
        made = [turn for turn in history if turn.who == "call"]
        record.tool_calls = [
            {"name": turn.name, "arguments": dict(turn.arguments), "output": outputs.get(turn.call_id)} for turn in made
        ] + [{"name": call.name, "arguments": call.arguments, "output": None} for call in calls]

    def reports(self) -> list[dict[str, Any]]:
        """Newest first."""
        return [
            {"provider": "openai/chat"} | {name.name: getattr(record, name.name) for name in fields(record)}
            for record in reversed(self._records.values())
        ]
