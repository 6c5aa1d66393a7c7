"""When answering machine detection decides, and what."""

from __future__ import annotations

from dataclasses import dataclass

from apps.sandbox.personas import CalleeScript
from apps.sandbox.personas.scripts import Pause, Say, Tone
from apps.sandbox.speech import synthesise

_SPEECH_END_S = 1.2
_MACHINE_SPEECH_S = 2.4


@dataclass(frozen=True, slots=True)
class AmdVerdict:
    """`after_s` from the answer, the value of `AnsweredBy`."""

    after_s: float
    answered_by: str


def amd_verdict(script: CalleeScript, mode: str, *, timeout_s: float, silence_s: float) -> AmdVerdict:
    """mode: "Enable" (as soon as possible) or "DetectMessageEnd" (waits for the end of the greeting)."""
    begins_s, ends_s = _greeting(script)
    persona = script.persona
    match persona.verdict:
        case "human":
            after_s, who = (ends_s + _SPEECH_END_S, "human") if ends_s else (silence_s, "unknown")
        case "fax":
            after_s, who = 3.0, "fax"
        case "machine" if mode == "Enable":
            after_s, who = begins_s + _MACHINE_SPEECH_S, "machine_start"
        case "machine" if persona.ends_with_beep:
            after_s, who = ends_s + _beep_s(script), "machine_end_beep"
        case "machine":
            after_s, who = ends_s + _SPEECH_END_S, "machine_end_silence"
        case _:
            after_s, who = silence_s, "unknown"
    return AmdVerdict(after_s, who) if after_s <= timeout_s else AmdVerdict(timeout_s, "unknown")


def _greeting(script: CalleeScript) -> tuple[float, float]:
    """When the first sentence begins and ends; zeros if none is said of one's own accord."""
    for step in script.persona.steps[:1]:
        if isinstance(step, Say):
            line = script.line(step.key)
            return step.after_s, step.after_s + len(synthesise(line.text, line.language)) / 8000
    return 0.0, 0.0


def _beep_s(script: CalleeScript) -> float:
    """From the end of the greeting to the end of the beep."""
    return sum(step.duration_s for step in script.persona.steps[1:3] if isinstance(step, Pause | Tone))
