"""Who answers the phone in the sandbox: the last two digits of a number choose language and persona."""

from apps.sandbox.personas.catalogue import (
    EXTRA_PERSONAS,
    PERSONAS,
    SPARE_FAULTS,
    all_lines,
    inbound_script,
    persona_for,
)
from apps.sandbox.personas.lines import INTENTS, Language, Line
from apps.sandbox.personas.scripts import Answer, CalleeScript, Outcome, Persona

__all__ = [
    "EXTRA_PERSONAS",
    "INTENTS",
    "PERSONAS",
    "SPARE_FAULTS",
    "Answer",
    "CalleeScript",
    "Language",
    "Line",
    "Outcome",
    "Persona",
    "all_lines",
    "inbound_script",
    "persona_for",
]
