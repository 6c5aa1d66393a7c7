"""Everything a session needs to know, gathered before the first frame. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from apps.calls.bridge.answering import AnsweringPlan
from apps.calls.bridge.limits import Limits
from apps.calls.voice_ai.base import PastTurn, VoiceBrief

LANGUAGE_NAMES = {"en": "English", "es": "Spanish", "cs": "Czech"}
_BLANK_BEFORE_STOP = re.compile(r" +([,.!?;:])")
_PLACE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Engine:
    """A provider, and its brief for each language the conversation may be in. The call's own language is among them."""

    provider: str
    briefs: Mapping[str, VoiceBrief]


@dataclass(frozen=True, slots=True)
class RecordingPlan:
    """How a call may be recorded. need: what it takes where the person is, none, announced or consent.

    With consent the announcement also says how to refuse. rule_version: of the pack that says so. by_carrier: the
    carrier does it, and the session only has it told when to pause.
    """

    need: str
    rule_version: str
    by_carrier: bool = False


@dataclass(frozen=True, slots=True)
class CallPlan:
    """One stream of one call.

    carrier: its code. account_id: the carrier's account that may open the stream, "" for any. engines: the voice AIs
    in the order in which they are tried; never empty. language: what the conversation begins in. greetings: language →
    first sentence, filled in. offset_ms: how long the call's audio has been running already, when an earlier stream of
    the call broke; history: what was said in it. time_zone: the contact's, an IANA name. last_resort_transfer_to: who
    takes the call when no voice AI can, E.164, "" for nobody. recording: None where the call is not to be recorded.
    is_recording_announced: the opening says that it is, in the call's language. answering: what to do about whoever
    picks up. opening_prompt: what the AI is to say first, where that is neither the greeting nor an excuse for a
    disturbed line. changes_to: languages the conversation may go on in, its own among them; empty if it keeps its own.
    owes_greeting: an earlier stream broke before the greeting was heard to its end. is_recording_paused: it broke while
    card data were spoken.
    """

    call_id: int
    leg_id: int
    correlation_id: str
    campaign_id: int | None
    carrier_call_id: str
    carrier: str
    account_id: str
    engines: Sequence[Engine]
    language: str
    greetings: Mapping[str, str]
    time_zone: str
    limits: Limits
    history: Sequence[PastTurn] = ()
    offset_ms: int = 0
    last_resort_transfer_to: str = ""
    opening_prompt: str = ""
    recording: RecordingPlan | None = None
    is_recording_announced: bool = False
    answering: AnsweringPlan = field(default_factory=AnsweringPlan)
    changes_to: frozenset[str] = frozenset()
    owes_greeting: bool = False
    is_recording_paused: bool = False

    @property
    def may_be_recorded(self) -> bool:
        """Whether it is to be, and the person is told where they must be."""
        return self.recording is not None and (self.recording.need == "none" or self.is_recording_announced)

    @property
    def provider(self) -> str:
        """The code of the voice AI that is asked first."""
        return self.engines[0].provider

    @property
    def brief(self) -> VoiceBrief:
        """What the first voice AI is told in the language the conversation begins in."""
        return self.engines[0].briefs[self.language]

    @property
    def greeting(self) -> str:
        return self.greetings[self.language]


def fill_in(template: str, values: Mapping[str, str]) -> str:
    """Put values into {names}; unknown names and stray braces stay as the manager typed them.

    Where a value is empty, no blank is left before the comma that followed it.
    """
    text = " ".join(_PLACE.sub(lambda found: values.get(found[1], found[0]), template).split())
    return _BLANK_BEFORE_STOP.sub(r"\1", text)


def instructions_for(
    *,
    company: str,
    speaks_as: str,
    language: str,
    local_now: datetime,
    contact_name: str,
    contact_fields: Mapping[str, object],
    greeting: str,
    instructions: str,
) -> str:
    """What the model is told: the facts of this call as labelled lines, then the manager's own words."""
    facts = {
        "Company": company,
        "You are": speaks_as,
        "Language": language,
        "Now": local_now.strftime("%Y-%m-%dT%H:%M"),
        "Contact": contact_name,
        "Greeting": greeting,
    }
    lines = [f"{label}: {_one_line(value)}" for label, value in facts.items() if value]
    lines += [f"Contact’s {_one_line(name)}: {_one_line(value)}" for name, value in contact_fields.items()]
    name = LANGUAGE_NAMES.get(language, language)
    lines += [
        "",
        f"You are {speaks_as}, an AI that speaks on the phone for {company}. Speak {name} unless the person asks for "
        "another language. Unless you have greeted already, begin with the greeting. Keep each turn short, one or two "
        "sentences, and let the person finish. "
        "“Now” is the person's local time.",
        "",
        instructions.strip(),
    ]
    return "\n".join(lines)


def greeting_prompt(greeting: str, language: str) -> str:
    name = LANGUAGE_NAMES.get(language, language)
    return f"Greet the person now, in {name}. Say exactly this and nothing else: “{greeting}”"


def greeting_note(greeting: str, language: str) -> str:
    """For an AI whose greeting the person spoke into."""
    name = LANGUAGE_NAMES.get(language, language)
    return (
        f"The person spoke into your greeting and has not heard all of it. In {name}, whatever they say, begin your "
        "next turn with what they have not heard yet, above all that you are an AI and, if it says so, that the call "
        f"is recorded. The greeting: “{greeting}”"
    )


def resume_prompt(language: str, *, owes_greeting: bool = False) -> str:
    """owes_greeting: a greeting_note() has told what the person has not heard."""
    name = LANGUAGE_NAMES.get(language, language)
    also = " Say first what they have not heard of your greeting." if owes_greeting else ""
    return (
        f"The connection was disturbed for a moment. In {name}, apologise in a few words and go on with the "
        f"conversation where it stopped. Do not greet again.{also}"
    )


def not_transferred_prompt(language: str) -> str:
    name = LANGUAGE_NAMES.get(language, language)
    return (
        f"The call could not be passed on: nobody took it. In {name}, say so in one sentence, and ask how else you can "
        "help. Do not greet again."
    )


def farewell_prompt(language: str, reason: str) -> str:
    """reason: silence or time_limit."""
    name = LANGUAGE_NAMES.get(language, language)
    why = "Nobody has said anything for a while." if reason == "silence" else "The time for this call is over."
    return f"{why} In {name}, say goodbye politely in one short sentence. The call ends after it."


def voicemail_prompt(message: str, language: str) -> str:
    """message: what is to be left, "" if the AI shall word it."""
    name = LANGUAGE_NAMES.get(language, language)
    if message:
        return f"An answering machine is recording now. In {name}, say exactly this and nothing else: “{message}”"
    return (
        f"An answering machine is recording now. In {name}, leave a message of two short sentences: who calls for "
        "which company, and that we will try again. Say nothing that only the person should hear."
    )


def _one_line(value: object) -> str:
    return " ".join(str(value).split())
