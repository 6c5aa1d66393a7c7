"""How long, how much and how fast: what keeps one conversation from harming itself or its neighbours. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds unless they end in _ms.

    max_call_s: the call is over; wrap_up_s before that the AI is told to come to an end. silence_s: nobody speaks.
    media_idle_s: the carrier sends nothing, not even silence. ai_answer_s: the AI is to speak and does not: it is
    asked, and after twice as long its connection counts as lost. deaf_s: the same for one that takes none of the
    caller's sound any more. reconnect_delays_s: pauses before each attempt to
    reach a lost provider; each is lengthened or shortened at random by at most the share reconnect_jitter, so that
    the calls of a process do not all knock at once. tries_before_failover: at most so many of these attempts where
    another provider waits; failover_after_s: and no attempt begins later than this after the loss while that one's
    breaker is closed. healthy_s: a connection that lasted so long was a good one, and counting begins anew.
    max_lead_ms: audio of the AI that the carrier may hold unplayed. burst_s: sound that the line may send ahead of
    real time. gap_ms: the caller's sound that is kept for a provider that is away; first_gap_ms: the same before
    the conversation has begun. catch_up_ms and catch_up_every_s: how it is given to one that is back, so much at a
    time. phrase_after_s: a provider is away for so long before the caller is asked to wait; phrase_every_s: and
    then asked again. goodbye_s: the longest last sentence. linger_s: waiting for the last transcript. keys_s: keys
    pressed within so long are told together. renew_s: this long before a provider closes it is left. tick_s: how
    often these are looked at.
    """

    max_call_s: float = 1800.0
    wrap_up_s: float = 20.0
    silence_s: float = 45.0
    media_idle_s: float = 15.0
    ai_answer_s: float = 8.0
    deaf_s: float = 4.0
    reconnect_delays_s: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 16.0)
    tries_before_failover: int = 5
    failover_after_s: float = 7.0
    reconnect_jitter: float = 0.2
    healthy_s: float = 10.0
    max_lead_ms: float = 120_000.0
    burst_s: float = 10.0
    gap_ms: float = 10_000.0
    first_gap_ms: float = 1_000.0
    catch_up_ms: float = 200.0
    catch_up_every_s: float = 0.04
    phrase_after_s: float = 0.4
    phrase_every_s: float = 5.0
    goodbye_s: float = 20.0
    linger_s: float = 2.0
    keys_s: float = 1.0
    renew_s: float = 5.0
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
