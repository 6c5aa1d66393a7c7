"""When Telnyx's answering machine detection decides, and what."""

from __future__ import annotations

from dataclasses import dataclass

from apps.sandbox.carrier.greeting import greeting_of
from apps.sandbox.personas import CalleeScript

_SPEECH_END_S = 0.8  # after_greeting_silence_millis
_MACHINE_SPEECH_S = 2.4
_FAX_S = 3.0


@dataclass(frozen=True, slots=True)
class Detection:
    """An event to be told `after_s` from the answer; an empty result has no such field."""

    after_s: float
    event_type: str
    result: str = ""


def detections(script: CalleeScript, mode: str, *, total_s: float, silence_s: float) -> list[Detection]:
    """In the order of time. mode: one of AMD_MODES other than "disabled"."""
    is_premium = mode.startswith("premium")
    prefix = "call.machine.premium" if is_premium else "call.machine"
    found = [Detection(0.0, f"{prefix}.detection.started")] if is_premium else []
    greeting, verdict = greeting_of(script), script.persona.verdict
    if mode == "premium_ios_call_screening_detection" and script.persona.key == "screener":
        return [*found, Detection(greeting.begins_s + 2.0, f"{prefix}.call_screening.detected", "screening")]
    if verdict == "human" and greeting.ends_s:
        decided_s, result = greeting.ends_s + _SPEECH_END_S, "human_residence" if is_premium else "human"
    elif verdict == "machine":
        decided_s, result = greeting.begins_s + _MACHINE_SPEECH_S, "machine"
    elif verdict == "fax":
        decided_s, result = _FAX_S, "fax_detected" if is_premium else "machine"
    else:
        says_nothing = not greeting.ends_s
        decided_s, result = silence_s, "silence" if is_premium and says_nothing else "not_sure"
    if decided_s > total_s:
        decided_s, result = total_s, "not_sure"
    found.append(Detection(decided_s, f"{prefix}.detection.ended", result))
    if result == "machine" and verdict == "machine" and mode not in {"detect", "detect_words"}:
        if greeting.beep_ends_s is not None:
            found.append(Detection(greeting.beep_ends_s, f"{prefix}.greeting.ended", "beep_detected"))
        else:
            ended = "no_beep_detected" if is_premium else "ended"
            found.append(Detection(greeting.ends_s + 1.5, f"{prefix}.greeting.ended", ended))
    return found
