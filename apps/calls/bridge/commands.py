"""What somebody outside asks of a running conversation: a page, a webhook, a task."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Command:
    """kind, and what its data bear:

    machine_verdict: the carrier has listened who picked up (verdict, answered_by). pause_recording, resume_recording,
    stop_recording (reason). change_language (language). note: something the AI shall know (text).
    leave: the AI goes, the line stays.
    """

    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)

    def text(self, name: str) -> str:
        return str(self.data.get(name) or "")
