"""The catalogue: thirty personas, three languages, and ten numbers that bring trouble."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from apps.sandbox.personas.lines import LANGUAGES, Language, all_lines
from apps.sandbox.personas.scripts import (
    Answer,
    AwaitHangUp,
    CalleeScript,
    HangUp,
    Interrupt,
    Listen,
    Menu,
    Pause,
    Persona,
    Press,
    Record,
    Say,
    Speak,
    Step,
    Tone,
)

__all__ = ["EXTRA_PERSONAS", "PERSONAS", "SPARE_FAULTS", "all_lines", "inbound_script", "persona_for"]

_GREET: Final[tuple[Step, ...]] = (Say("greeting", after_s=0.6), Listen())
_AGREE: Final[tuple[Step, ...]] = (Say("confirm"), Listen(), Say("goodbye"), AwaitHangUp())
_BE_WON: Final[tuple[Step, ...]] = (Say("interested"), Listen(), *_AGREE)
_LEAVE: Final[tuple[Step, ...]] = (Listen(), Say("goodbye"), HangUp())

PERSONAS: Final[tuple[Persona, ...]] = (
    Persona("interested", "Wants to hear more and agrees.", (*_GREET, *_BE_WON)),
    Persona("busy_person", "Bad time: driving, in a meeting.", (*_GREET, Say("busy_now"), *_LEAVE)),
    Persona("not_interested", "Declines politely.", (*_GREET, Say("not_interested"), *_LEAVE)),
    Persona(
        "opt_out",
        "Take me off your list.",
        (*_GREET, Say("opt_out"), Listen(), Say("goodbye"), AwaitHangUp()),
    ),
    Persona(
        "callback",
        "Asks for a call tomorrow at three.",
        (
            *_GREET,
            Say("callback_tomorrow_1500"),
            Listen(),
            Say("confirm_callback"),
            Listen(),
            Say("goodbye"),
            AwaitHangUp(),
        ),
    ),
    Persona(
        "wants_human",
        "Wants to be put through to a person, and waits for one.",
        (
            *_GREET,
            Say("wants_human"),
            Listen(30.0),
            Say("confirm_waiting"),
            Listen(30.0),
            Say("goodbye"),
            AwaitHangUp(20.0),
        ),
    ),
    Persona("wrong_person", "Somebody else has this number.", (*_GREET, Say("wrong_person"), *_LEAVE)),
    Persona(
        "interrupts",
        "Talks over the agent, then is interested.",
        (Say("greeting", after_s=0.6), Interrupt(), Say("interruption", after_s=0.0), Listen(), *_BE_WON),
    ),
    Persona(
        "silence", "Picks up and says nothing for half a minute.", (AwaitHangUp(30.0), HangUp()), verdict="unknown"
    ),
    Persona(
        "voicemail",
        "Answering machine: greeting, beep, takes a message.",
        (Say("voicemail_greeting", after_s=0.8), Pause(0.4), Tone(1000.0, 0.5), Record(), HangUp()),
        verdict="machine",
        ends_with_beep=True,
    ),
    Persona(
        "screener",
        "A call screener asks for name and reason, then the person comes on and is interested.",
        (Say("screener", after_s=0.6), Listen(), Say("screener_connecting"), Pause(3.0), *_GREET, *_BE_WON),
    ),
    Persona(
        "ivr",
        "A menu, read three times; key 1 leads to an interested person.",
        (Menu("ivr_menu", digit="1", invalid_key="ivr_invalid"), Say("ivr_connecting"), Pause(2.0), *_GREET, *_BE_WON),
        verdict="unknown",
    ),
    Persona("busy", "The line is busy.", answer=Answer("busy", ring_s=1.0, sip_code=486)),
    Persona("no_answer", "Rings until the time-out.", answer=Answer("no-answer", ring_s=0.8, sip_code=487)),
    Persona("failed", "The number cannot be reached.", answer=Answer("failed", ring_s=0.6, sip_code=404)),
    Persona(
        "are_you_robot",
        "Asks whether a robot is calling, then goes on.",
        (*_GREET, Say("are_you_robot"), Listen(), Say("accept"), Listen(), *_AGREE),
    ),
    Persona(
        "hangs_up",
        "Hangs up while the agent is talking.",
        (Say("greeting", after_s=0.6), Interrupt(after_s=2.5), HangUp(0.0)),
    ),
    Persona(
        "asks_price",
        "Asks what it costs before agreeing.",
        (*_GREET, Say("interested"), Listen(), Say("question_price"), Listen(), *_AGREE),
    ),
    Persona(
        "voicemail_without_beep",
        "Answering machine that only falls silent.",
        (Say("voicemail_greeting", after_s=0.8), Record(), HangUp()),
        verdict="machine",
    ),
    Persona(
        "fax",
        "A fax machine.",
        (
            Pause(0.5),
            Tone(2100.0, 3.0),
            Pause(1.0),
            Tone(1100.0, 0.5),
            Pause(3.0),
            Tone(1100.0, 0.5),
            Pause(3.0),
            HangUp(),
        ),
        verdict="fax",
    ),
    Persona(
        "asks_repeat",
        "Does not understand the first time.",
        (*_GREET, Say("ask_repeat"), Listen(), *_BE_WON),
    ),
    Persona(
        "asks_who",
        "Wants to know who is calling, then declines.",
        (*_GREET, Say("who_is_calling"), Listen(), Say("not_interested"), *_LEAVE),
    ),
    Persona(
        "wants_information",
        "Wants it in writing first.",
        (*_GREET, Say("send_information"), Listen(), *_AGREE),
    ),
    Persona(
        "slow_to_answer",
        "Lets it ring for 15 seconds, then is interested.",
        (*_GREET, *_BE_WON),
        answer=Answer(ring_s=15.0),
    ),
    Persona("rejects", "Rings, then the call is declined.", answer=Answer("busy", ring_s=4.0, sip_code=603)),
    Persona(
        "robot_opt_out",
        "Asks whether a robot is calling, then wants off the list.",
        (*_GREET, Say("are_you_robot"), Listen(), Say("opt_out"), *_LEAVE),
    ),
    Persona("curt", "Declines and hangs up at once.", (*_GREET, Say("not_interested"), HangUp(0.1))),
    Persona(
        "presses_key",
        "Presses 9 instead of speaking.",
        (*_GREET, Press("9"), Listen(), Say("goodbye"), AwaitHangUp()),
    ),
    Persona(
        "talkative",
        "Interested, in very long sentences.",
        (*_GREET, Say("talkative"), Listen(), *_AGREE),
    ),
    Persona("hangs_up_at_once", "Picks up and hangs up without a word.", (HangUp(0.3),)),
)

# Numbers whose last five digits are 999PP: as above, PP chooses language and persona.
EXTRA_PERSONAS: Final[tuple[Persona, ...]] = (
    Persona(
        "speaks_spanish",
        "Speaks Spanish from the first word, whatever the number's row.",
        (*_GREET, Say("other_language"), Listen(), *_BE_WON),
        language="es",
    ),
    Persona(
        "speaks_czech",
        "Speaks Czech from the first word, whatever the number's row.",
        (*_GREET, Say("other_language"), Listen(), *_BE_WON),
        language="cs",
    ),
    Persona(
        "changes_to_spanish",
        "Greets in the row's language, then insists on Spanish.",
        (*_GREET, Speak("es"), Say("other_language"), Listen(), *_BE_WON),
    ),
    Persona(
        "changes_to_czech",
        "Greets in the row's language, then insists on Czech.",
        (*_GREET, Speak("cs"), Say("other_language"), Listen(), *_BE_WON),
    ),
    Persona(
        "reads_card",
        "Is interested and reads out a card number.",
        (*_GREET, Say("interested"), Listen(), Say("card_number"), Listen(), *_AGREE),
    ),
    Persona(
        "wants_transfer",
        "Asks to be transferred to the office, and holds.",
        (*_GREET, Say("wants_transfer"), Listen(45.0), Say("confirm_waiting"), Listen(30.0), Say("goodbye"), HangUp()),
    ),
    Persona(
        "wants_sms",
        "Asks for a text message with the details during the call.",
        (*_GREET, Say("wants_sms"), Listen(), *_AGREE),
    ),
)
EXTRA_DIGITS: Final = "999"

# Numbers ending in 90–99: an interested English callee, and one thing that goes wrong.
SPARE_FAULTS: Final[tuple[str, ...]] = (
    "rest_invalid_to",
    "rest_429",
    "rest_500",
    "rest_timeout",
    "rest_reset",
    "callback_duplicate",
    "callback_reorder",
    "media_drop",
    "media_garbage",
    "callback_drop",
)

_PER_LANGUAGE = len(PERSONAS)


def _seed(digits: str) -> int:
    """Which phrasing a number prefers; neighbours of the same persona differ."""
    return int(digits[-5:-2] or "0") if len(digits) > 2 else 0


def persona_for(number: str) -> CalleeScript:
    """Who answers `number` (E.164). The last two digits PP choose.

    00–29 English, 30–59 Spanish, 60–89 Czech, PP % 30 the persona; 90–99 English, interested, with a fault.
    Numbers ending in 999PP are answered by the extra persona PP % 30, if there is one.
    Numbers without two digits are answered by 00.
    """
    digits = "".join(c for c in number if c.isdigit())
    last_two = int(digits[-2:]) if len(digits) >= 2 else 0
    seed = _seed(digits)
    if last_two >= _PER_LANGUAGE * len(LANGUAGES):
        fault = SPARE_FAULTS[last_two - _PER_LANGUAGE * len(LANGUAGES)]
        return CalleeScript(number, "en", PERSONAS[0], seed, fault)
    at, row = last_two % _PER_LANGUAGE, LANGUAGES[last_two // _PER_LANGUAGE]
    is_extra = digits[-5:-2] == EXTRA_DIGITS and at < len(EXTRA_PERSONAS)
    persona = EXTRA_PERSONAS[at] if is_extra else PERSONAS[at]
    return CalleeScript(number, persona.language or row, persona, seed)


def inbound_script(number: str, *, persona: str | None = None, language: Language | None = None) -> CalleeScript:
    """Who calls in from `number`; persona and language override what the number says.

    A caller waits to be greeted, so the script starts after its own hello. Raises ValueError for an unknown persona.
    """
    base = persona_for(number)
    chosen = base.persona
    if persona is not None:
        by_key = {p.key: p for p in (*PERSONAS, *EXTRA_PERSONAS)}
        if persona not in by_key:
            raise ValueError(f"no persona {persona!r}; there are {', '.join(by_key)}")
        chosen = by_key[persona]
    steps = chosen.steps
    if steps and isinstance(steps[0], Say) and steps[0].key == "greeting":
        steps = steps[1:]
    caller = replace(chosen, steps=steps, answer=Answer())
    return CalleeScript(number, language or chosen.language or base.language, caller, base.variant)
