"""What is said first, and what follows from who picks up: the virtual agent's own words within the rules.

The disclosure cannot be emptied where the rules of the person's country demand one: an empty text is then ours.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.utils import translation
from django.utils.translation import gettext_noop

from apps.calls.bridge.answering import Action, AnsweringPlan, RecordedMessage, Verdict
from apps.calls.bridge.plan import fill_in
from apps.calls.models import VirtualAgent, VoicemailRecording
from apps.contacts.rules import RulePack

AI_DISCLOSURE = gettext_noop("I am an AI assistant.")
RECORDING_NOTICE = gettext_noop("This call is recorded.")
RECORDING_CONSENT = gettext_noop("This call is recorded; if you do not want that, just say so.")
RECORDED_MESSAGE = gettext_noop("[recorded message]")
_PLACES = ("{disclosure}", "{recording}")


@dataclass(frozen=True, slots=True)
class Opening:
    """text: the whole first sentence. is_recording_announced: it says that the call is recorded."""

    text: str
    is_recording_announced: bool


def opening(
    agent: VirtualAgent, language: str, *, pack: RulePack, is_recorded: bool, values: Mapping[str, str]
) -> Opening:
    """The greeting with what the rules demand, where its {disclosure} and {recording} stand, else behind it."""
    greeting = _text(agent, "greeting", language)
    disclosure = _text(agent, "ai_disclosure", language) or (
        _ours(AI_DISCLOSURE, language) if pack.says_it_is_ai else ""
    )
    notice = _notice(agent, language, pack) if is_recorded else ""
    for place, text in zip(_PLACES, (disclosure, notice), strict=True):
        if place in greeting:
            greeting = greeting.replace(place, text)
        elif text:
            greeting = f"{greeting.rstrip()} {text}"
    return Opening(fill_in(greeting, values), bool(notice))


def answering(
    agent: VirtualAgent,
    *,
    values: Mapping[str, str],
    languages: list[str],
    recordings: Iterable[VoicemailRecording] = (),
) -> AnsweringPlan:
    """The virtual agent's choices per verdict; talk with whoever is, or may be, a person."""
    message = {language: fill_in(_text(agent, "voicemail_message", language), values) for language in languages}
    return AnsweringPlan(
        actions={
            Verdict.HUMAN: Action.TALK,
            Verdict.VOICEMAIL: Action(agent.on_voicemail),
            Verdict.SCREENER: Action(agent.on_screener),
            Verdict.IVR: Action(agent.on_ivr),
            Verdict.SILENCE: Action(agent.on_silence),
            Verdict.UNKNOWN: Action.TALK,
        },
        message=message,
        recorded={row.language: _recorded(row, message.get(row.language, "")) for row in recordings},
    )


def _recorded(row: VoicemailRecording, message: str) -> RecordedMessage:
    return RecordedMessage(
        sha256=row.sha256,
        name=row.name,
        duration_ms=row.duration_ms,
        text=message or _ours(RECORDED_MESSAGE, row.language),
        is_wording=bool(message),
    )


def _notice(agent: VirtualAgent, language: str, pack: RulePack) -> str:
    own = _text(agent, "recording_notice", language)
    if own or pack.recording == "none":
        return own
    return _ours(RECORDING_CONSENT if pack.recording == "consent" else RECORDING_NOTICE, language)


def _ours(msgid: str, language: str) -> str:
    with translation.override(language):
        return translation.gettext(msgid)


def _text(agent: VirtualAgent, field: str, language: str) -> str:
    """The agent's text in the language of the call, not in that of some reader; a greeting falls back to English."""
    own = str(getattr(agent, f"{field}_{language}", None) or "")
    return own or (str(getattr(agent, f"{field}_en", None) or "") if field == "greeting" else "")
