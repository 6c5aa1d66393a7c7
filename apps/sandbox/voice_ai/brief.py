"""What a session's instructions tell about the job: found by labelled lines first, by turns of phrase second. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from .phrases import PHRASES

_LABELS: Final[dict[str, tuple[str, ...]]] = {
    "company": (
        *("company", "company name", "organisation", "organization", "business", "brand", "on behalf of", "client"),
        *("empresa", "compañía", "společnost", "firma"),
    ),
    "agent": (
        *("agent", "agent name", "your name", "you are", "name", "assistant", "assistant name", "virtual agent"),
        *("nombre", "tu nombre", "su nombre", "asistente", "jméno", "tvé jméno", "vaše jméno", "asistent"),
    ),
    "purpose": (
        *("purpose", "purpose of the call", "reason", "reason for the call", "reason for calling", "goal"),
        *("objective", "call purpose", "topic", "motivo", "motivo de la llamada", "objetivo"),
        *("důvod", "důvod hovoru", "účel", "účel hovoru", "cíl"),
    ),
    "greeting": ("greeting", "opening", "opening line", "first message", "saludo", "pozdrav", "úvod"),
    "question": ("question", "closing question", "confirm question", "pregunta", "otázka"),
    "voicemail": ("voicemail", "voicemail message", "mensaje de voz", "mensaje para el buzón", "vzkaz"),
}
_LINE: Final = re.compile(
    r"^[\s\-*#>•]*(?P<label>[^\W\d_][^:=\n]{1,48}?)\**\s*[:=]\**\s*(?P<value>\S.*?)\s*$", re.MULTILINE
)
_ISO: Final = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(?:\s?(?:Z|[+-]\d{2}:?\d{2}))?")
_AGENT: Final = re.compile(r"\b(?:[Yy]ou are|[Yy]our name is|[Nn]amed|[Ee]res|[Jj]si|[Jj]ste)\s+([A-ZÁ-Ž][\wÁ-ž]+)")
_COMPANY: Final = re.compile(
    r"\b(?:on behalf of|calling from|calling for|call for|work(?:ing)? for|assistant (?:of|for|at)|agent (?:of|for|at)"
    r"|de parte de|en nombre de|za společnost|jménem)"
    r"\s+(?:the company\s+)?([A-ZÁ-Ž0-9](?:[\w&'\-]|\.(?=\w))*(?:\s+[A-ZÁ-Ž0-9&](?:[\w&'\-]|\.(?=\w))*)*)"
)
_LANGUAGE_NAMES: Final[dict[str, str]] = {
    **dict.fromkeys(("english", "inglés", "ingles", "anglicky", "angličtina", "en"), "en"),
    **dict.fromkeys(("spanish", "español", "espanol", "castellano", "španělsky", "španělština", "es"), "es"),
    **dict.fromkeys(("czech", "checo", "česky", "čeština", "češtině", "cestina", "cs"), "cs"),
}
_NAMES: Final = "|".join(name for name in _LANGUAGE_NAMES if len(name) > 2)
_LANGUAGE_LABEL: Final = re.compile(
    r"\b(?:language|idioma|jazyk)\b[^:=\n]{0,20}[:=]\s*[\"'(]?\s*([a-zá-ž]+)", re.IGNORECASE
)
_SPEAK: Final = re.compile(
    rf"\b(?:speak|talk|answer|reply|respond|greet|converse|habla|hable|responde|responda|mluv\w*|odpovíd\w*)\b"
    rf"[^.\n]{{0,40}}?\b({_NAMES})\b",
    re.IGNORECASE,
)
_QUOTED: Final = re.compile(r"“([^”]+)”|„([^“”]+)[“”]|«([^»]+)»|\"([^\"]+)\"")
_COMMON_WORDS: Final = {
    "en": frozenset(
        ("the", "a", "is", "are", "you", "your", "we", "our", "for", "of", "to", "and", "this", "with", "from", "hello")
    ),
    "es": frozenset(
        (
            "el",
            "la",
            "los",
            "un",
            "una",
            "es",
            "son",
            "usted",
            "su",
            "de",
            "del",
            "para",
            "y",
            "con",
            "en",
            "por",
            "hola",
        )
    ),
    "cs": frozenset(
        (
            "je",
            "jsou",
            "na",
            "se",
            "že",
            "pro",
            "v",
            "s",
            "z",
            "o",
            "vás",
            "vám",
            "vaše",
            "tady",
            "dobrý",
            "den",
            "hovor",
        )
    ),
}
_LONGEST_PURPOSE: Final = 140


@dataclass(frozen=True, slots=True)
class Brief:
    company: str = ""
    agent: str = ""
    purpose: str = ""
    greeting: str = ""
    question: str = ""
    voicemail: str = ""
    language: str | None = None
    now: datetime | None = None
    """The contact's local time, as the instructions give it; naive if they name no offset."""

    def identity(self, language: str) -> str:
        known = {(True, True): "both", (True, False): "agent", (False, True): "company", (False, False): "none"}
        key = known[bool(self.agent), bool(self.company)]
        return PHRASES[f"identity_{key}"][language].format(agent=self.agent, company=self.company)

    def reason(self, language: str) -> str:
        """Why we call, if the instructions say it in that language."""
        if self.purpose and language_of(self.purpose, self.language or "en") == language:
            return PHRASES["purpose"][language].format(purpose=self.purpose)
        return PHRASES["purpose_unknown"][language]

    def opening(self, language: str) -> str:
        if self.greeting and language_of(self.greeting, self.language or "en") == language:
            return self.greeting
        return " ".join((PHRASES["hello"][language], self.identity(language), PHRASES["have_a_minute"][language]))


def read_brief(instructions: str) -> Brief:
    found: dict[str, str] = {}
    for line in _LINE.finditer(instructions):
        label = line["label"].strip(" *_").casefold()
        for name, labels in _LABELS.items():
            if label in labels and name not in found:
                found[name] = line["value"].strip(" *_").strip('"“”„«»').strip()
    brief = Brief(**found, language=_language(instructions), now=_local_time(instructions))
    agent, company = _AGENT.search(instructions), _COMPANY.search(instructions)
    return replace(
        brief,
        agent=brief.agent or (agent[1] if agent else ""),
        company=brief.company or (company[1] if company else ""),
        purpose=_as_clause(brief.purpose),
    )


def _language(instructions: str) -> str | None:
    for pattern in (_LANGUAGE_LABEL, _SPEAK):
        for match in pattern.finditer(instructions):
            code = _LANGUAGE_NAMES.get(match[1].casefold()) or _LANGUAGE_NAMES.get(match[1][:2].casefold())
            if code:
                return code
    return None


def _local_time(instructions: str) -> datetime | None:
    match = _ISO.search(instructions)
    if match is None:
        return None
    try:
        return datetime.fromisoformat(match[0].replace(" ", "T", 1).replace(" ", ""))
    except ValueError:
        return None


def _as_clause(purpose: str) -> str:
    clause = purpose.strip().rstrip(".!")
    if len(clause) > _LONGEST_PURPOSE:
        clause = clause[:_LONGEST_PURPOSE].rsplit(" ", 1)[0]
    return clause[:1].lower() + clause[1:] if clause[1:2].islower() else clause


def quoted(text: str) -> str:
    """The first quotation in a text that is a sentence rather than a word, or ""."""
    for match in _QUOTED.finditer(text):
        words = next(group for group in match.groups() if group is not None).strip()
        if " " in words:
            return words
    return ""


def language_of(text: str, default: str) -> str:
    """en, es or cs by everyday words and letters; default if they do not tell."""
    words = re.findall(r"[^\W\d_]+", text.casefold())
    score = {language: sum(word in common for word in words) for language, common in _COMMON_WORDS.items()}
    score["cs"] += 2 * sum(letter in "ěščřžůťď" for letter in text.casefold())
    score["es"] += 2 * sum(letter in "ñ¿¡" for letter in text.casefold())
    best = max(score, key=lambda language: (score[language], language == default))
    return best if score[best] else default
