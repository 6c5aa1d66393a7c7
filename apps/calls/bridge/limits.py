"""How long, how much and how fast: what keeps one conversation from harming itself or its neighbours. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds unless they end in _ms.

    max_call_s: the call is over; wrap_up_s before that the AI is told to come to an end. silence_s: nobody speaks.
    media_idle_s: the carrier sends nothing, not even silence. ai_answer_s: the caller has finished and the AI stays
    dumb. reconnect_delays_s: pauses before each attempt to reach a lost provider. max_lead_ms: audio of the AI that the
    carrier may hold unplayed. burst_s: sound that the line may send ahead of real time. goodbye_s: the longest last
    sentence. linger_s: waiting for the last transcript. tick_s: how often these are looked at.
    """

    max_call_s: float = 1800.0
    wrap_up_s: float = 20.0
    silence_s: float = 45.0
    media_idle_s: float = 15.0
    ai_answer_s: float = 20.0
    reconnect_delays_s: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0, 4.0)
    max_lead_ms: float = 120_000.0
    burst_s: float = 10.0
    goodbye_s: float = 20.0
    linger_s: float = 2.0
    tool_s: float = 10.0
    tick_s: float = 1.0


class Flood(Exception):
    """A line sends far more than real time allows. code: audio or messages."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(slots=True)
class InboundBudget:
    """What a line may send: sound at real time, a modest number of messages, and room for what a stall held back."""

    started_at: float
    burst_s: float = 10.0
    messages_per_s: float = 150.0
    audio_ms: float = 0.0
    n_messages: int = 0

    def take(self, *, now: float, audio_ms: float) -> None:
        """Count one message. Raises Flood."""
        self.n_messages += 1
        self.audio_ms += audio_ms
        allowed_s = now - self.started_at + self.burst_s
        if self.audio_ms > allowed_s * 1000.0:
            raise Flood("audio")
        if self.n_messages > allowed_s * self.messages_per_s:
            raise Flood("messages")
