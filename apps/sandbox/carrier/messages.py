"""Text messages, whichever carrier's: their facts, who has opted out, and what becomes of them."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from apps.sandbox.carrier.exchange import Exchange
from apps.sandbox.carrier.faults import Fault
from apps.sandbox.carrier.records import Carrier, now
from apps.sandbox.personas import persona_for
from apps.sandbox.personas.texts import Fate, text_script

OptOut = Literal["STOP", "START", "HELP"]

_STOP: Final = frozenset({"STOP", "STOPALL", "STOP ALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT"})
_HELP: Final = frozenset({"HELP", "INFO"})
_AUTO_REPLIES: Final[dict[OptOut, str]] = {
    "STOP": "You have successfully been unsubscribed. You will not receive any more messages from this number.",
    "START": "You have successfully been re-subscribed to messages from this number. Reply STOP to unsubscribe.",
    "HELP": "Reply STOP to unsubscribe. Msg&Data Rates May Apply.",
}
_SENT_S, _SETTLED_S, _UNCONFIRMED_S = 0.5, 1.0, 20.0

# A number that brings its own fault: the callbacks concerned, by status and by event type, and how many of them.
_FAULTS: Final[dict[str, tuple[frozenset[str], int]]] = {
    "callback_duplicate": (frozenset({"message"}), 2),
    "callback_reorder": (frozenset({"sent", "message.sent"}), 1),
    "callback_drop": (frozenset({"delivered", "message.finalized"}), 1),
}


@dataclass(slots=True)
class MessageRecord:
    """The facts of one message. scope: what an opt-out covers, our number or the profile it belongs to."""

    sid: str
    carrier: Carrier
    to: str
    from_: str
    body: str
    direction: str
    status: str
    scope: str
    error_code: str = ""
    created_at: datetime = field(default_factory=now)
    updated_at: datetime = field(default_factory=now)
    sent_at: datetime | None = None
    media_urls: tuple[str, ...] = ()
    history: list[dict[str, object]] = field(default_factory=list)
    webhooks: list[dict[str, object]] = field(default_factory=list)

    def note(self, event: str, **facts: object) -> None:
        """Leave a line in the true history: `at` is this machine's monotonic clock in seconds."""
        self.history.append({"at": time.monotonic(), "event": event, **facts})

    def set_status(self, status: str, error_code: str = "") -> None:
        self.status, self.error_code = status, error_code
        self.updated_at = now()
        self.note("status", status=status, error_code=error_code)

    def as_truth(self) -> dict[str, object]:
        """For the control interface."""
        return {
            "sid": self.sid,
            "carrier": self.carrier,
            "to": self.to,
            "from": self.from_,
            "body": self.body,
            "direction": self.direction,
            "status": self.status,
            "error_code": self.error_code,
            "history": self.history,
            "webhooks": self.webhooks,
        }


def keyword_of(body: str, *, start_words: frozenset[str]) -> OptOut | None:
    """What a carrier makes of a message by itself: a single word, in any case."""
    word = " ".join(body.upper().split())
    if word in _STOP:
        return "STOP"
    if word in start_words:
        return "START"
    return "HELP" if word in _HELP else None


def n_segments(body: str) -> int:
    """As carriers count: 160 characters a message, 70 once one of them is not in the GSM alphabet."""
    single, part = (160, 153) if body.isascii() else (70, 67)
    return 1 if len(body) <= single else -(-len(body) // part)


class MessageDesk(ABC):
    """The messages of one account: sent, settled, answered; and who wants no more of them."""

    carrier: Carrier
    start_words: frozenset[str] = frozenset({"START", "UNSTOP"})

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.messages: dict[str, MessageRecord] = {}
        self._blocked: set[tuple[str, str]] = set()
        exchange.forget_with(self._forget)

    # ---- what the carriers do differently

    @abstractmethod
    def _new_sid(self) -> str: ...

    @abstractmethod
    def _settle(self, message: MessageRecord, fate: Fate) -> None:
        """Give a sent message the carrier's final status and tell the product."""

    @abstractmethod
    def _tell_sent(self, message: MessageRecord) -> None: ...

    @abstractmethod
    def _tell_received(self, message: MessageRecord, keyword: OptOut | None) -> None: ...

    # ---- what they share

    def is_blocked(self, scope: str, number: str) -> bool:
        return (scope, number) in self._blocked

    def send(self, message: MessageRecord) -> None:
        """Take a message on its way."""
        self.messages[message.sid] = message
        message.note("created", persona=persona_for(message.to).persona.key)
        fault = persona_for(message.to).fault
        if fault in _FAULTS:
            events, times = _FAULTS[fault]
            self.exchange.faults.add(Fault(fault, times, message.to, events))
        self.exchange.spawn(self._carry(message))

    def receive(self, *, from_: str, to: str, body: str, scope: str = "") -> MessageRecord:
        """Somebody writes to a number of ours. An opt-out word is obeyed at once and answered by the carrier."""
        scope = scope or to
        message = MessageRecord(self._new_sid(), self.carrier, to, from_, body, "inbound", "received", scope)
        self.messages[message.sid] = message
        keyword = keyword_of(body, start_words=self.start_words)
        if keyword == "STOP":
            self._blocked.add((scope, from_))
        elif keyword == "START":
            self._blocked.discard((scope, from_))
        message.note("received", keyword=keyword)
        if keyword is not None:
            message.note("answered_by_carrier", text=_AUTO_REPLIES[keyword])
        self._tell_received(message, keyword)
        return message

    async def _carry(self, message: MessageRecord) -> None:
        script, clock = text_script(message.to), self.exchange.clock
        await clock.sleep(_SENT_S)
        if not self._knows(message):
            return
        if script.fate != "filtered":
            message.sent_at = now()
            message.set_status("sent")
            self._tell_sent(message)
        await clock.sleep(_UNCONFIRMED_S if script.fate == "unconfirmed" else _SETTLED_S)
        if not self._knows(message):
            return
        self._settle(message, script.fate)
        for reply in script.replies:
            await clock.sleep(reply.after_s)
            if not self._knows(message):
                return
            self.receive(from_=message.to, to=message.from_, body=reply.text, scope=message.scope)

    def _knows(self, message: MessageRecord) -> bool:
        """False once everything has been forgotten."""
        return message.sid in self.messages

    def _forget(self) -> None:
        self.messages.clear()
        self._blocked.clear()
