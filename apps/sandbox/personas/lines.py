"""Every sentence a callee can speak, in three languages, with what it means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from apps.sandbox.personas import czech, english, spanish

Language = Literal["en", "es", "cs"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "es", "cs")


@dataclass(frozen=True, slots=True)
class Line:
    """One clip: `synthesise(text, language, "a")` is exactly what goes over the wire, from the start of a frame."""

    language: Language
    text: str
    intent: str


# What a sentence means, by its key. Several keys may share an intent.
_INTENT_OF_KEY: Final[dict[str, str]] = {
    "greeting": "greeting",
    "interested": "interested",
    "accept": "interested",
    "talkative": "interested",
    "confirm": "confirm",
    "confirm_callback": "confirm",
    "confirm_waiting": "confirm",
    "not_interested": "not_interested",
    "opt_out": "opt_out",
    "callback_tomorrow_1500": "callback_tomorrow_1500",
    "wants_human": "wants_human",
    "wrong_person": "wrong_person",
    "busy_now": "busy_now",
    "interruption": "interruption",
    "are_you_robot": "are_you_robot",
    "question_price": "question_price",
    "who_is_calling": "who_is_calling",
    "ask_repeat": "ask_repeat",
    "send_information": "send_information",
    "other_language": "other_language",
    "card_number": "card_number",
    "wants_transfer": "wants_transfer",
    "wants_sms": "wants_sms",
    "still_there": "still_there",
    "goodbye": "goodbye",
    "voicemail_greeting": "voicemail_greeting",
    "screener": "screener",
    "screener_connecting": "screener_connecting",
    "ivr_menu": "ivr_menu",
    "ivr_invalid": "ivr_invalid",
    "ivr_connecting": "ivr_connecting",
    "ivr_goodbye": "goodbye",
}

INTENTS: Final[dict[str, str]] = {
    "greeting": "picked up and said hello",
    "interested": "wants to go on, open to the offer",
    "confirm": "agrees to what was just proposed or asked",
    "not_interested": "declines the offer",
    "opt_out": "must not be called again",
    "callback_tomorrow_1500": "asks to be called back tomorrow at 15:00 their time",
    "wants_human": "asks for a person",
    "wrong_person": "somebody else has this number",
    "busy_now": "bad moment, no time given for another call",
    "interruption": "talks over the agent to say something",
    "are_you_robot": "asks whether a machine is calling",
    "question_price": "asks what it costs",
    "who_is_calling": "asks who is calling and why",
    "ask_repeat": "did not understand, wants it said again",
    "send_information": "wants something in writing first",
    "other_language": "wants to speak the language of this very sentence",
    "card_number": "reads out a payment card",
    "wants_transfer": "asks to be transferred to another number of the company",
    "wants_sms": "asks for a text message during the call",
    "still_there": "heard nothing for a while",
    "goodbye": "ends the conversation",
    "voicemail_greeting": "an answering machine's greeting; a beep follows",
    "screener": "a call screener asks for name and reason",
    "screener_connecting": "a call screener puts the call through",
    "ivr_menu": "a menu to be answered by key",
    "ivr_invalid": "the menu did not understand the key",
    "ivr_connecting": "the menu puts the call through",
}

_PHRASES: Final[dict[Language, dict[str, tuple[str, ...]]]] = {
    "en": english.PHRASES,
    "es": spanish.PHRASES,
    "cs": czech.PHRASES,
}


def _lines(language: Language, key: str, phrases: tuple[str, ...]) -> tuple[Line, ...]:
    return tuple(Line(language=language, text=text, intent=_INTENT_OF_KEY[key]) for text in phrases)


_LINES: Final[dict[tuple[Language, str], tuple[Line, ...]]] = {
    (language, key): _lines(language, key, phrases)
    for language, table in _PHRASES.items()
    for key, phrases in table.items()
}


def line_variants(language: Language, key: str) -> tuple[Line, ...]:
    """All phrasings of one line; KeyError if there is none."""
    return _LINES[language, key]


def all_lines() -> list[Line]:
    """Every clip a callee can ever speak, each once."""
    return list(dict.fromkeys(line for variants in _LINES.values() for line in variants))
