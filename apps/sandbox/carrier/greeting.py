"""What machine detection has to go by: when a callee's first words begin and end, and whether a beep follows."""

from __future__ import annotations

from dataclasses import dataclass

from apps.sandbox.personas import CalleeScript
from apps.sandbox.personas.scripts import Pause, Say, Tone
from apps.sandbox.speech import synthesise


@dataclass(frozen=True, slots=True)
class Greeting:
    """Seconds from the answer; zeros if nothing is said of one's own accord. beep_ends_s None: there is no beep."""

    begins_s: float
    ends_s: float
    beep_ends_s: float | None


def greeting_of(script: CalleeScript) -> Greeting:
    """From the script itself: the sandbox knows what its people will say."""
    steps = script.persona.steps
    if not steps or not isinstance(steps[0], Say):
        return Greeting(0.0, 0.0, None)
    line = script.line(steps[0].key)
    ends_s = steps[0].after_s + len(synthesise(line.text, line.language)) / 8000
    beep_s = sum(step.duration_s for step in steps[1:3] if isinstance(step, Pause | Tone))
    return Greeting(steps[0].after_s, ends_s, ends_s + beep_s if script.persona.ends_with_beep else None)
