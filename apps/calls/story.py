"""A call's events in plain words, as the timeline of its page shows them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format, number_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.accounts.models import Language
from apps.calls.events import EventKind
from apps.calls.models import AnswerVerdict, CallEvent, Disposition, EndReason, Provider, ToolName
from apps.calls.models.recording import ErasedWhy
from apps.calls.states import Outcome
from apps.contacts.consent import REASONS
from apps.contacts.models import Channel

_LOOKS: dict[str, tuple[str, str]] = {
    EventKind.CREATED: ("clock", "idle"),
    EventKind.NOT_CALLABLE: ("ban", "bad"),
    EventKind.EXPIRED: ("hourglass", "warn"),
    EventKind.PUT_BACK: ("repeat", "warn"),
    EventKind.REQUESTED: ("send", "info"),
    EventKind.REFUSED: ("alert-triangle", "bad"),
    EventKind.UNKNOWN: ("question-mark", "warn"),
    EventKind.FOUND: ("circle-check", "ok"),
    EventKind.NOT_FOUND: ("alert-triangle", "bad"),
    EventKind.QUEUED: ("hourglass", "info"),
    EventKind.RINGING: ("phone-calling", "info"),
    EventKind.ANSWERED: ("phone-check", "ok"),
    EventKind.MACHINE_VERDICT: ("user", "info"),
    EventKind.ANSWER_VERDICT: ("user", "info"),
    EventKind.VERDICT_CORRECTED: ("pencil", "warn"),
    EventKind.MESSAGE_LEFT: ("microphone", "info"),
    EventKind.LANGUAGE_CHANGED: ("language", "info"),
    EventKind.STREAM_STARTED: ("broadcast", "info"),
    EventKind.STREAM_STOPPED: ("broadcast", "idle"),
    EventKind.STREAM_ERROR: ("alert-triangle", "bad"),
    EventKind.MEDIA_LOST: ("alert-triangle", "warn"),
    EventKind.SESSION_STARTED: ("robot", "ok"),
    EventKind.SESSION_ENDED: ("robot", "idle"),
    EventKind.TOOL_CALLED: ("settings", "info"),
    EventKind.AI_FAILED: ("alert-octagon", "bad"),
    EventKind.RECONNECTED: ("circle-check", "ok"),
    EventKind.FAILED_OVER: ("repeat", "warn"),
    EventKind.GAVE_UP: ("alert-octagon", "bad"),
    EventKind.END_REQUESTED: ("phone-end", "info"),
    EventKind.HANG_UP_FAILED: ("alert-triangle", "warn"),
    EventKind.DTMF: ("user", "info"),
    EventKind.DISPOSITION_SET: ("circle-check", "ok"),
    EventKind.DISPOSITION_CORRECTED: ("pencil", "warn"),
    EventKind.CALLBACK_REQUESTED: ("calendar-event", "info"),
    EventKind.OPTED_OUT: ("ban", "bad"),
    EventKind.TRANSFER_REQUESTED: ("phone-calling", "info"),
    EventKind.TRANSFER_REFUSED: ("ban", "warn"),
    EventKind.TEXT_REQUESTED: ("send", "info"),
    EventKind.TEXT_REFUSED: ("ban", "warn"),
    EventKind.HTTP_TOOL_USED: ("world", "info"),
    EventKind.KEYS_SENT: ("user", "info"),
    EventKind.INBOUND: ("phone-incoming", "info"),
    EventKind.TRANSFER_STARTED: ("phone-calling", "info"),
    EventKind.TRANSFERRED: ("users", "ok"),
    EventKind.TRANSFER_FAILED: ("alert-triangle", "warn"),
    EventKind.OUTCOME_CORRECTED: ("pencil", "warn"),
    EventKind.RECORDING_SAVED: ("microphone", "idle"),
    EventKind.RECORDING_STARTED: ("microphone", "info"),
    EventKind.RECORDING_ASKED: ("user", "info"),
    EventKind.RECORDING_PAUSED: ("player-pause", "warn"),
    EventKind.RECORDING_RESUMED: ("microphone", "info"),
    EventKind.RECORDING_FAILED: ("alert-triangle", "bad"),
    EventKind.RECORDING_ERASED: ("trash", "warn"),
    EventKind.RECORDING_PLAYED: ("headset", "info"),
    EventKind.RECORDING_DOWNLOADED: ("download", "info"),
    EventKind.ENDED: ("phone-end", "idle"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the timeline, as includes/timeline.html wants it."""

    at: datetime
    icon: str
    tone: str
    title: str
    text: str


def tell(events: list[CallEvent]) -> list[Line]:
    """The events as lines. Dispositions are named in one query, whatever their number."""
    codes = {str(event.data["code"]) for event in events if event.kind in _WITH_DISPOSITION and "code" in event.data}
    names = {row.code: row.name for row in Disposition.objects.filter(code__in=codes)} if codes else {}
    return [_line(event, names) for event in events]


_WITH_DISPOSITION = frozenset({EventKind.DISPOSITION_SET.value, EventKind.DISPOSITION_CORRECTED.value})


def _line(event: CallEvent, names: dict[str, str]) -> Line:
    icon, tone = _LOOKS.get(event.kind, ("info-circle", "idle"))
    title = str(EventKind(event.kind).label) if event.kind in EventKind.values else event.kind
    return Line(at=event.at, icon=icon, tone=tone, title=title, text=_text(event, names))


_VERDICT_SOURCES = {
    "transcript": gettext_lazy("by what was said"),
    "carrier": gettext_lazy("by the carrier's detection"),
    "audio": gettext_lazy("by the sound"),
    "tool": gettext_lazy("by the AI"),
    "time_limit": gettext_lazy("by the time limit"),
}
_MESSAGE_AFTER = {
    "beep": gettext_lazy("after the beep"),
    "pause": gettext_lazy("after a pause"),
    "carrier": gettext_lazy("when the carrier heard the greeting end"),
    "time_limit": gettext_lazy("after the longest wait"),
}


_MESSAGE_HOW = {"recorded": gettext_lazy("the recorded one, heard to its end")}


_CARRIER_HEARD = {
    "human": gettext_lazy("a person"),
    "machine": gettext_lazy("an answering machine"),
    "fax": gettext_lazy("a fax machine"),
    "screening": gettext_lazy("a call screener"),
    "silence": gettext_lazy("silence"),
    "unknown": gettext_lazy("not known"),
}


def _verdict(code: object) -> str:
    return str(dict(AnswerVerdict.choices).get(str(code), code or ""))


def _evidence(evidence: object) -> str:
    """What a verdict rests on, where it can be said in a few words."""
    if not isinstance(evidence, dict):
        return ""
    if evidence.get("words"):
        return _("“%(words)s”") % {"words": evidence["words"]}
    if evidence.get("quiet_ms"):
        return _("nobody spoke for %(seconds)s s") % {"seconds": number_format(round(evidence["quiet_ms"] / 1000))}
    return ""


def tool_word(name: object) -> str:
    """What a tool does, in words; an HTTP tool of a manager's by its name."""
    return str(dict(ToolName.choices).get(str(name), name or ""))


def voice_ais(events: Iterable[CallEvent]) -> list[str]:
    """Which voice AIs spoke in the call, in this order."""
    codes: list[object] = []
    for event in events:
        if event.kind == EventKind.SESSION_STARTED and not codes:
            codes.append(event.data.get("voice_ai"))
        elif event.kind == EventKind.FAILED_OVER:
            codes.append(event.data.get("to"))
    return [_provider(code) for code in codes if code]


_ACTS = {"pause": gettext_lazy("Pause"), "resume": gettext_lazy("Resume")}
_PAUSE_REASONS = {
    "card": gettext_lazy("card data is spoken"),
    "staff": gettext_lazy("paused by staff"),
    "transfer": gettext_lazy("the call is passed on"),
}
_RECORDING_ACTS = {
    "record": gettext_lazy("it could not be begun"),
    "pause": gettext_lazy("it could not be paused, and is not kept"),
    "stop": gettext_lazy("it could not be stopped"),
}


def _text(event: CallEvent, names: dict[str, str]) -> str:
    data = event.data
    match event.kind:
        case EventKind.NOT_CALLABLE | EventKind.TEXT_REFUSED:
            return str(REASONS.get(str(data.get("reason")), data.get("reason", "")))
        case EventKind.REFUSED:
            return str(data.get("message") or data.get("code") or "")
        case EventKind.CREATED if data.get("rule_version"):
            return _("Allowed by rule pack %(version)s.") % {"version": data["rule_version"]}
        case EventKind.MACHINE_VERDICT:
            return str(_CARRIER_HEARD.get(str(data.get("verdict")), data.get("answered_by") or ""))
        case EventKind.ANSWER_VERDICT:
            source = _VERDICT_SOURCES.get(str(data.get("source")))
            return _joined(_verdict(data.get("verdict")), source, _evidence(data.get("evidence")))
        case EventKind.VERDICT_CORRECTED:
            return _joined(_verdict(data.get("verdict")), data.get("by"))
        case EventKind.MESSAGE_LEFT:
            return _joined(_MESSAGE_AFTER.get(str(data.get("after"))), _MESSAGE_HOW.get(str(data.get("how"))))
        case EventKind.LANGUAGE_CHANGED:
            known_languages = dict(Language.choices)
            before, to = (str(known_languages.get(data.get(key), data.get(key))) for key in ("from", "to"))
            return _joined(f"{before} → {to}", data.get("by"))
        case EventKind.TOOL_CALLED:
            return tool_word(data.get("name"))
        case EventKind.SESSION_STARTED:
            return _joined(_provider(data.get("voice_ai")), data.get("model"))
        case EventKind.DISPOSITION_SET | EventKind.DISPOSITION_CORRECTED:
            return _joined(names.get(str(data.get("code")), data.get("code")), data.get("note"), data.get("by"))
        case EventKind.CALLBACK_REQUESTED:
            at = parse_datetime(str(data.get("at") or ""))
            return date_format(localtime(at), "DATETIME_FORMAT") if at else ""
        case EventKind.OPTED_OUT:
            known = dict(Channel.choices)
            return ", ".join(str(known.get(channel, channel)) for channel in data.get("channels", []))
        case EventKind.END_REQUESTED:
            return _joined(_reason(data.get("reason")), data.get("by"))
        case EventKind.INBOUND:
            return str(data.get("caller") or "")
        case EventKind.TRANSFER_STARTED | EventKind.TRANSFERRED:
            return str(data.get("to") or "")
        case EventKind.TRANSFER_FAILED:
            return _joined(data.get("to"), dict(Outcome.choices).get(str(data.get("reason")), data.get("reason")))
        case EventKind.OUTCOME_CORRECTED:
            return str(dict(Outcome.choices).get(str(data.get("outcome")), ""))
        case EventKind.ENDED:
            outcome = str(data.get("outcome") or "")
            word = str(Outcome(outcome).label) if outcome in Outcome.values else outcome
            return _joined(word, _reason(data.get("end_reason")))
        case EventKind.SESSION_ENDED:
            return _reason(data.get("reason"))
        case EventKind.RECORDING_STARTED if data.get("source") == "carrier":
            return _("by the carrier")
        case EventKind.RECORDING_FAILED:
            return _joined(_RECORDING_ACTS.get(str(data.get("act"))), data.get("reason"))
        case EventKind.RECORDING_ASKED:
            return _joined(_ACTS.get(str(data.get("act"))), data.get("by"))
        case EventKind.RECORDING_PAUSED:
            return _joined(_PAUSE_REASONS.get(str(data.get("reason")), data.get("reason")), data.get("by"))
        case EventKind.RECORDING_RESUMED if data.get("is_automatic"):
            return _("by itself, after the longest pause")
        case EventKind.RECORDING_ERASED:
            known_why = dict(ErasedWhy.choices)
            return _joined(known_why.get(str(data.get("reason")), data.get("reason")), data.get("by"))
        case EventKind.RECORDING_RESUMED | EventKind.RECORDING_PLAYED | EventKind.RECORDING_DOWNLOADED:
            return str(data.get("by") or "")
        case EventKind.DTMF:
            return str(data.get("digit") or "")
        case EventKind.HTTP_TOOL_USED:
            return _joined(data.get("tool"), data.get("result"))
        case EventKind.KEYS_SENT:
            return str(data.get("digits") or "")
        case EventKind.TRANSFER_REQUESTED | EventKind.TRANSFER_REFUSED:
            return _joined(data.get("target") or data.get("to"), data.get("reason"))
        case EventKind.TEXT_REQUESTED:
            return str(data.get("text") or "")
        case EventKind.RECONNECTED:
            seconds = number_format(round(int(data.get("after_ms") or 0) / 1000, 1))
            return _joined(_provider(data.get("voice_ai")), _("after %(seconds)s s") % {"seconds": seconds})
        case EventKind.FAILED_OVER:
            return f"{_provider(data.get('from'))} → {_provider(data.get('to'))}"
        case EventKind.AI_FAILED if data.get("voice_ai"):
            return _joined(_provider(data["voice_ai"]), data.get("error"))
        case EventKind.AI_FAILED | EventKind.STREAM_ERROR:
            return str(data.get("error") or data.get("reason") or "")
    return ""


def _joined(*parts: object) -> str:
    return " · ".join(str(part) for part in parts if part)


def _provider(code: object) -> str:
    return str(dict(Provider.choices).get(str(code), code or ""))


def _reason(code: object) -> str:
    known = dict(EndReason.choices)
    return str(known.get(str(code), code or ""))
