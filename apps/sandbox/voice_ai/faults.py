"""Trouble to order: what a rehearsal can ask of this server, for coming sessions or for those that are open."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Any, Final

from .checks import Refused, boolean, integer, nullable, number, one_of, record, string, tagged

_WHO: Final = {
    "kind": string,
    "provider": one_of(
        *("openai", "openai/chat", "gemini", "gemini/live", "gemini/rest"),
        *("deepgram", "deepgram/listen", "deepgram/speak"),
    ),
    "sessions": integer(1, 100_000),
    "live": boolean,
    "session_id": string,
    "response": integer(1, 1000),
    "every": boolean,
}
ORDER: Final = tagged(
    "kind",
    {
        "refuse": record(_WHO | {"status": integer(400, 599), "retry_after_s": integer(0, 3600)}),
        "disconnect": record(_WHO | {"code": nullable(integer(1000, 4999)), "reason": string, "now": boolean}),
        "expire": record(_WHO | {"after_s": number(0, 3600), "announce": boolean}),
        "slow": record(_WHO | {"delay_ms": integer(0, 600_000)}),
        "garbage": record(_WHO),
        "unknown_event": record(_WHO),
        "response_failed": record(_WHO | {"type": string, "code": string, "message": string}),
        "transcription_failed": record(_WHO),
        "stall": record(_WHO),
        "refuse_setup": record(_WHO | {"code": integer(1000, 4999), "reason": string}),
        "refuse_resume": record(_WHO),
        "sleepy": record(_WHO),
        "voice_activity": record(_WHO),
    },
)


@dataclass(slots=True)
class Fault:
    """kind and its own settings; README.md lists them."""

    kind: str
    settings: dict[str, Any]
    sessions_left: int = 1
    response: int = 1
    """Counted from 1: the response of the session that it strikes."""
    provider: str = ""
    """Whose sessions it is for; "" for anybody's."""

    def is_for(self, provider: str) -> bool:
        """provider: its code, or code/part where it has several kinds of session."""
        return self.provider in ("", provider) or provider.startswith(f"{self.provider}/")

    def copy(self) -> Fault:
        """For one session."""
        return Fault(self.kind, dict(self.settings), 1, self.response, self.provider)


class FaultsInForce:
    """What still hangs over one session, waiting for its response."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault, *, n_responses_before: int) -> None:
        fault.response += n_responses_before
        self._faults.append(fault)

    def take(self, kind: str, n_responses: int) -> Fault | None:
        """The fault due by now; it strikes once, unless ordered for every response."""
        fault = next((one for one in self._faults if one.kind == kind and one.response <= n_responses), None)
        if fault is not None and not fault.settings.get("every"):
            self._faults.remove(fault)
        return fault


@dataclass(frozen=True, slots=True)
class Order:
    fault: Fault
    is_live: bool
    session_id: str | None


def order_from(value: Any) -> Order:
    """Raises Refused."""
    given = ORDER(value, "")
    who = {
        name: given.pop(name) for name in ("provider", "sessions", "live", "session_id", "response") if name in given
    }
    kind = given.pop("kind")
    if kind == "refuse" and (who.get("live") or who.get("session_id")):
        raise Refused("Only a coming session can be refused.", param="live")
    return Order(
        fault=Fault(kind, given, who.get("sessions", 1), who.get("response", 1), who.get("provider", "")),
        is_live=bool(who.get("live")),
        session_id=who.get("session_id"),
    )


class FaultQueue:
    """Orders waiting for sessions that have not been opened yet."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def put(self, fault: Fault) -> None:
        self._waiting.append(fault)

    def clear(self) -> None:
        self._waiting.clear()

    def refusal(self, provider: str) -> int | None:
        """HTTP status for this handshake, if it is to be refused."""
        fault = self.take("refuse", provider)
        return int(fault.settings.get("status", 503)) if fault is not None else None

    def take(self, kind: str, provider: str) -> Fault | None:
        """The first order of that kind for the provider, used up by one."""
        for fault in self._waiting:
            if fault.kind == kind and fault.is_for(provider):
                self._use(fault)
                return fault
        return None

    def for_new_session(self, provider: str, *, leave: Container[str] = ()) -> list[Fault]:
        """leave: kinds that are for another part of the provider, unless this one is named."""
        taken = [
            fault
            for fault in self._waiting
            if fault.kind != "refuse"
            and fault.is_for(provider)
            and (fault.provider == provider or fault.kind not in leave)
        ]
        for fault in taken:
            self._use(fault)
        return [fault.copy() for fault in taken]

    def _use(self, fault: Fault) -> None:
        fault.sessions_left -= 1
        if not fault.sessions_left:
            self._waiting.remove(fault)

    def as_json(self) -> list[dict[str, Any]]:
        return [
            {
                "kind": fault.kind,
                "provider": fault.provider,
                "sessions_left": fault.sessions_left,
                "response": fault.response,
                **fault.settings,
            }
            for fault in self._waiting
        ]
