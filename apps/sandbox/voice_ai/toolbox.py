"""Which of the offered tools does what, and arguments that fit its JSON Schema. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

_KINDS: Final[dict[str, re.Pattern[str]]] = {
    kind: re.compile(pattern, re.IGNORECASE)
    for kind, pattern in {
        "opt_out": r"opt_?out|do_?not_?call|dnc|remove_(?:me|from|number|contact)|unsubscribe",
        "schedule_callback": r"call_?back|reschedul",
        "send_sms": r"sms|text_?message|send_?text",
        "transfer": r"(?:transfer|connect|forward)_?to_?(?:number|phone)",
        "handover": r"hand_?(?:over|off)|transfer|escalat|human|put_through|connect_to",
        "set_disposition": r"disposition|outcome|set_result|log_result|record_result",
        "pause_recording": r"pause_?rec",
        "resume_recording": r"(?:resume|continue)_?rec",
        "change_language": r"language",
        "press_keys": r"dtmf|press|keypad|send_digits",
        "end_call": r"end_?call|hang_?up|end_?conversation|finish_?call|terminate",
    }.items()
}

# What a conversation came to, and the codes a business may have for it, the closest first.
_CODES: Final[dict[str, tuple[str, ...]]] = {
    "interested": (
        "interested",
        "success",
        "sale",
        "sold",
        "won",
        "qualified",
        "lead",
        "agreed",
        "accepted",
        "positive",
    ),
    "not_interested": (
        "not_interested",
        "declined",
        "refused",
        "rejected",
        "uninterested",
        "no_interest",
        "negative",
        "lost",
    ),
    "opt_out": ("opt_out", "opted_out", "do_not_call", "dnc", "removed", "unsubscribed", "not_interested", "declined"),
    "callback": (
        "callback",
        "call_back",
        "callback_requested",
        "callback_scheduled",
        "rescheduled",
        "follow_up",
        "later",
    ),
    "human": (
        *("wants_human", "human", "handover", "handed_over", "transferred", "escalated"),
        *("callback", "call_back", "callback_requested", "follow_up"),
    ),
    "wrong_person": ("wrong_person", "wrong_number", "wrong_contact", "invalid_number", "not_reached", "invalid"),
    "busy": ("busy", "bad_time", "not_now", "callback", "call_back", "callback_requested", "follow_up", "not_reached"),
    "information": (
        *("information", "send_information", "information_requested", "wants_information", "info"),
        *("follow_up", "interested", "success"),
    ),
    "voicemail": (
        "voicemail",
        "answering_machine",
        "machine",
        "left_message",
        "message_left",
        "not_reached",
        "no_contact",
    ),
    "ivr": ("ivr", "menu", "phone_menu", "automated", "machine", "not_reached", "no_contact", "other", "voicemail"),
    "fax": ("fax", "machine", "not_reached", "no_contact", "other", "voicemail"),
    "silence": ("no_response", "silence", "silent", "no_speech", "no_answer", "not_reached", "no_contact", "unclear"),
    "unclear": ("unclear", "not_understood", "bad_line", "no_response", "not_reached", "no_contact"),
    "ended": (
        "ended_early",
        "hung_up",
        "no_decision",
        "undecided",
        "incomplete",
        "no_response",
        "unclear",
        "not_reached",
    ),
}
_IS_TIME: Final = re.compile(r"(?:callback_|local_)?(?:time|hour)")
_E164: Final = re.compile(r"\+[1-9]\d{7,14}\b")
_WHATEVER: Final = ("other", "unknown", "unclear", "none", "no_result", "misc")


@dataclass(frozen=True, slots=True)
class Matter:
    """What there is to tell a tool."""

    outcome: str
    """A key of the codes above."""
    at: datetime
    """When to call back, on the contact's clock; naive if no offset is known."""
    now: datetime
    language: str
    words: str
    """The contact's own."""
    keys: str = "1"
    text: str = ""
    """What is written to them."""


@dataclass(frozen=True, slots=True)
class Tool:
    kind: str
    name: str
    schema: Mapping[str, Any]

    def arguments(self, matter: Matter) -> dict[str, Any]:
        """Every required property and those optional ones that we know what to put into."""
        properties = self.schema.get("properties") or {}
        required = set(self.schema.get("required") or ())
        filled: dict[str, Any] = {}
        for name, about in properties.items():
            about = about if isinstance(about, dict) else {}
            value = _value(self.kind, name, about, matter)
            if value is None and name in required:
                value = _filler(about, matter)
            if value is not None:
                filled[name] = value
        return filled


def toolbox(tools: Sequence[Mapping[str, Any]]) -> dict[str, Tool]:
    """The first offered function of each kind, by kind."""
    box: dict[str, Tool] = {}
    for tool in tools:
        if tool.get("type") != "function":
            continue
        name = str(tool.get("name", ""))
        kind = next((kind for kind, pattern in _KINDS.items() if pattern.search(name)), None)
        if kind is not None and kind not in box:
            box[kind] = Tool(kind, name, tool.get("parameters") or {})
    return box


def kind_of(name: str) -> str | None:
    return next((kind for kind, pattern in _KINDS.items() if pattern.search(name)), None)


def closest_code(outcome: str, codes: Sequence[str]) -> str | None:
    """The offered code that means the outcome; an everything-else code if none does; None if there is neither."""
    plain = {_plain(code): code for code in codes}
    for wanted in _CODES[outcome]:
        if wanted in plain:
            return plain[wanted]
    for wanted in _CODES[outcome]:
        for token, code in plain.items():
            negated = token.startswith(("not_", "no_", "un")) and not wanted.startswith(("not_", "no_", "un"))
            if wanted in token and not negated:
                return code
    return next((plain[word] for word in _WHATEVER if word in plain), None)


def is_refusal(output: str) -> bool:
    """Whether a function's answer says that it did not do it."""
    try:
        answer = orjson.loads(output)
    except orjson.JSONDecodeError:
        return output.casefold().startswith(("error", "failed", "refused"))
    if not isinstance(answer, dict):
        return answer is False
    if answer.get("ok") is False or answer.get("success") is False:
        return True
    return bool(answer.get("error")) or str(answer.get("status", "")).casefold() in ("error", "failed", "refused")


def is_same_code(made: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a result that was noted is the one that is to be noted."""
    names = [name for name in wanted if re.search(r"disposition|outcome|result|code|status", name.casefold())]
    return all(made.get(name) == wanted[name] for name in names)


def _plain(code: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", code.casefold()).strip("_")


def _value(kind: str, name: str, about: Mapping[str, Any], matter: Matter) -> Any:
    label = name.casefold()
    codes = _codes(about)
    if codes is not None:
        return _chosen(kind, label, codes, about, matter)
    if kind == "set_disposition" and re.search(r"disposition|outcome|result|code|status", label):
        listed = re.findall(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*", str(about.get("description", "")))
        return closest_code(matter.outcome, listed) or matter.outcome
    if kind == "schedule_callback":
        when = _when(label, about, matter)
        if when is not None:
            return when
    if kind == "press_keys" and re.search(r"digit|key|tone|dtmf", label):
        return matter.keys
    if kind == "send_sms" and re.search(r"text|body|content|message", label):
        return matter.text
    if kind in ("transfer", "handover") and re.search(r"number|phone|^to$", label):
        number = _E164.search(str(about.get("description", "")))
        return number[0] if number is not None else None
    if kind == "end_call" and "reason" in label:
        return matter.outcome.replace("_", " ")
    if re.search(r"reason|note|summary|comment|message|detail|topic", label):
        return matter.words or matter.outcome.replace("_", " ")
    if re.search(r"lang|locale", label):
        return matter.language
    if re.search(r"confirm|agreed|consent", label) and about.get("type") == "boolean":
        return True
    return None


def _codes(about: Mapping[str, Any]) -> list[Any] | None:
    if isinstance(about.get("enum"), list):
        return list(about["enum"])
    if "const" in about:
        return [about["const"]]
    for union in ("oneOf", "anyOf"):
        if isinstance(about.get(union), list):
            codes = [code for option in about[union] if isinstance(option, dict) for code in _codes(option) or ()]
            if codes:
                return codes
    items = about.get("items")
    return _codes(items) if about.get("type") == "array" and isinstance(items, dict) else None


def _chosen(kind: str, label: str, codes: list[Any], about: Mapping[str, Any], matter: Matter) -> Any:
    if about.get("type") == "array":
        return codes  # all channels, all lists: the widest reading of what the contact asked for
    words = [code for code in codes if isinstance(code, str)]
    if re.search(r"lang|locale", label):
        return next((code for code in words if code[:2].casefold() == matter.language), codes[0])
    if kind == "opt_out" and re.search(r"channel|scope", label):
        return next((code for code in words if code.casefold() in ("all", "any", "everything")), codes[0])
    found = closest_code(matter.outcome, words) if words else None
    return codes[-1] if found is None else found


def _when(label: str, about: Mapping[str, Any], matter: Matter) -> Any:
    kind, form = about.get("type"), about.get("format")
    if kind in ("integer", "number"):
        minutes = (matter.at - matter.now).total_seconds() / 60
        if re.search(r"min", label):
            return round(minutes)
        if re.search(r"hour", label):
            return round(minutes / 60)
        if re.search(r"sec|delay", label):
            return round(minutes * 60)
        return None
    if form == "date" or re.fullmatch(r"(?:callback_|local_)?(?:date|day)", label):
        return matter.at.date().isoformat()
    if form == "time" or (_IS_TIME.fullmatch(label) and not _wants_date(about)):
        return matter.at.strftime("%H:%M")
    if form == "date-time" or re.search(r"(?:^|_)(?:at|when|time|datetime|date)(?:_|$)|datetime|iso", label):
        at = matter.at
        if "utc" in str(about.get("description", "")).casefold() + label and at.tzinfo is not None:
            at = at.astimezone(UTC)
        return at.isoformat(timespec="minutes" if at.tzinfo is None else "seconds")
    if "zone" in label or label == "tz":
        return None
    return None


def _wants_date(about: Mapping[str, Any]) -> bool:
    return bool(re.search(r"iso|date|yyyy", str(about.get("description", "")), re.IGNORECASE))


def _filler(about: Mapping[str, Any], matter: Matter) -> Any:
    if "default" in about:
        return about["default"]
    kind = about.get("type")
    kind = next((one for one in kind if one != "null"), None) if isinstance(kind, list) else kind
    fillers: dict[Any, Any] = {"boolean": True, "integer": 1, "number": 1, "array": [], "object": {}}
    return fillers.get(kind, matter.words or matter.outcome.replace("_", " "))
