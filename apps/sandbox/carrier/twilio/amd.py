"""When answering machine detection decides, and what."""

from __future__ import annotations

from dataclasses import dataclass

from apps.sandbox.carrier.greeting import greeting_of
from apps.sandbox.personas import CalleeScript

_SPEECH_END_S = 1.2
_MACHINE_SPEECH_S = 2.4


@dataclass(frozen=True, slots=True)
class AmdVerdict:
    """`after_s` from the answer, the value of `AnsweredBy`."""

    after_s: float
    answered_by: str


def amd_verdict(script: CalleeScript, mode: str, *, timeout_s: float, silence_s: float) -> AmdVerdict:
    """mode: "Enable" (as soon as possible) or "DetectMessageEnd" (waits for the end of the greeting)."""
    greeting = greeting_of(script)
    begins_s, ends_s = greeting.begins_s, greeting.ends_s
    persona = script.persona
    match persona.verdict:
        case "human":
            after_s, who = (ends_s + _SPEECH_END_S, "human") if ends_s else (silence_s, "unknown")
        case "fax":
            after_s, who = 3.0, "fax"
        case "machine" if mode == "Enable":
            after_s, who = begins_s + _MACHINE_SPEECH_S, "machine_start"
        case "machine" if greeting.beep_ends_s is not None:
            after_s, who = greeting.beep_ends_s, "machine_end_beep"
        case "machine":
            after_s, who = ends_s + _SPEECH_END_S, "machine_end_silence"
        case _:
            after_s, who = silence_s, "unknown"
    return AmdVerdict(after_s, who) if after_s <= timeout_s else AmdVerdict(timeout_s, "unknown")
