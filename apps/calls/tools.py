"""What a virtual agent may do during a call. Results are sentences for the model, so they are not translated.

Each tool checks its arguments as if a stranger had written them, calls one service, and says what came of it in a way
that lets the model tell the person or try again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import structlog
from django.utils import timezone

from apps.calls.bridge.metrics import TOOL_CALLS
from apps.calls.media.frames import ToolCall
from apps.calls.models import Disposition
from apps.calls.services.callbacks import BadCallbackTime, schedule_callback
from apps.calls.services.dispositions import UnknownDisposition, set_disposition
from apps.calls.services.opt_outs import opt_out_by_call
from apps.calls.voice_ai.base import ToolSpec
from apps.contacts.models import Channel

log = structlog.get_logger(__name__)

_MAX_NOTE = 500


class BadArguments(Exception):
    """The model's arguments cannot be used; the message tells it what to do."""


@dataclass(frozen=True, slots=True)
class ToolContext:
    """time_zone: the contact's, an IANA name."""

    call_id: int
    time_zone: str


def specs_for(names: Sequence[str], dispositions: Iterable[Disposition]) -> list[ToolSpec]:
    """The functions offered to the model, as JSON schemas; names not known here are left out."""
    known = {spec.name: spec for spec in (_END_CALL, _OPT_OUT, _SCHEDULE_CALLBACK, *_disposition_spec(dispositions))}
    return [known[name] for name in names if name in known]


def run_tool(context: ToolContext, call: ToolCall) -> str:
    """Do what the model asks and tell it the result. Blocks on the database; raises only what nobody expected."""
    run = _TOOLS.get(call.name)
    if run is None:
        TOOL_CALLS.labels("unknown", "refused").inc()
        return "Failed: there is no such function."
    try:
        result = run(context, _arguments(call.arguments))
    except BadArguments as error:
        TOOL_CALLS.labels(call.name, "refused").inc()
        log.info("tool_refused", tool=call.name)
        return f"Failed: {error}"
    TOOL_CALLS.labels(call.name, "done").inc()
    log.info("tool_done", tool=call.name)
    return result


def _set_disposition(context: ToolContext, arguments: Mapping[str, Any]) -> str:
    code = _text(arguments, "disposition")
    try:
        set_disposition(context.call_id, code, _note(arguments))
    except UnknownDisposition as error:
        codes = ", ".join(Disposition.objects.filter(is_active=True).values_list("code", flat=True))
        raise BadArguments(f"there is no disposition {code!r}. Use one of: {codes}.") from error
    return "Done: the result of the call is noted."


def _opt_out(context: ToolContext, arguments: Mapping[str, Any]) -> str:
    wanted = arguments.get("channels") or list(Channel.values)
    if not isinstance(wanted, list) or not all(channel in Channel.values for channel in wanted):
        raise BadArguments(f"channels must be a list out of: {', '.join(Channel.values)}.")
    stopped = opt_out_by_call(context.call_id, channels=wanted, note=_note(arguments))
    return f"Done: this number will not be contacted again by {', '.join(stopped)}."


def _schedule_callback(context: ToolContext, arguments: Mapping[str, Any]) -> str:
    raw = _text(arguments, "at")
    zone = ZoneInfo(context.time_zone)
    local_now = timezone.now().astimezone(zone).strftime("%Y-%m-%dT%H:%M")
    try:
        at = datetime.fromisoformat(raw)
    except ValueError as error:
        raise BadArguments(f"at must look like 2026-11-23T15:00, not {raw!r}. It is {local_now} there now.") from error
    at = at.replace(tzinfo=zone) if at.tzinfo is None else at.astimezone(zone)
    if at.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != at.replace(tzinfo=None):
        raise BadArguments("that hour does not exist, as the clocks go forward then. Ask for another time.")
    if at <= timezone.now():
        raise BadArguments(f"that time is past. It is {local_now} there now; ask for a time in the future.")
    try:
        schedule_callback(context.call_id, at=at, note=_note(arguments))
    except BadCallbackTime as error:
        raise BadArguments("that is too far away. Ask for a time within the next year.") from error
    return f"Done: we will call back at {at.strftime('%Y-%m-%dT%H:%M')}, the person's local time."


_TOOLS: dict[str, Callable[[ToolContext, Mapping[str, Any]], str]] = {
    "set_disposition": _set_disposition,
    "opt_out": _opt_out,
    "schedule_callback": _schedule_callback,
}


def _arguments(text: str) -> Mapping[str, Any]:
    try:
        arguments = orjson.loads(text or "{}")
    except ValueError as error:
        raise BadArguments("the arguments are not JSON.") from error
    if not isinstance(arguments, dict):
        raise BadArguments("the arguments must be a JSON object.")
    return arguments


def _text(arguments: Mapping[str, Any], name: str) -> str:
    value = arguments.get(name)
    if not isinstance(value, str) or not value.strip():
        raise BadArguments(f"{name} is missing.")
    return value.strip()[:100]


def _note(arguments: Mapping[str, Any]) -> str:
    value = arguments.get("note") or ""
    if not isinstance(value, str):
        raise BadArguments("note must be text.")
    return " ".join(value.replace("\x00", "").split())[:_MAX_NOTE]


def _object(required: list[str], **properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


_NOTE = {"type": "string", "description": "What else is worth knowing, in a few words."}
_END_CALL = ToolSpec(
    "end_call",
    "Hang up. Say goodbye first, in the same turn; the call ends once the goodbye has been heard.",
    _object(["reason"], reason={"type": "string", "description": "Why the call is over, in a few words."}),
)
_OPT_OUT = ToolSpec(
    "opt_out",
    "Call this at once when the person does not want to be contacted again, in whatever words, and confirm it.",
    _object(
        [],
        channels={
            "type": "array",
            "items": {"type": "string", "enum": list(Channel.values)},
            "description": "What they do not want any more; leave out for everything.",
        },
        note=_NOTE,
    ),
)
_SCHEDULE_CALLBACK = ToolSpec(
    "schedule_callback",
    "Note when the person wants to be called back.",
    _object(
        ["at"],
        at={"type": "string", "description": "The person's local time, like 2026-11-23T15:00."},
        note=_NOTE,
    ),
)


def _disposition_spec(dispositions: Iterable[Disposition]) -> list[ToolSpec]:
    """The codes are the rows of the table: without rows there is nothing to choose."""
    rows = list(dispositions)
    if not rows:
        return []
    meanings = " ".join(f"{row.code}: {row.description or row.name}." for row in rows)
    parameters = _object(
        ["disposition"],
        disposition={"type": "string", "enum": [row.code for row in rows], "description": meanings},
        note=_NOTE,
    )
    description = "Note what the conversation came to. Call it once the result is clear, before the call ends."
    return [ToolSpec("set_disposition", description, parameters)]
