"""What the conversation came to: its disposition, a callback, or never again."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.calls.models import Disposition, ToolName
from apps.calls.services.callbacks import BadCallbackTime, schedule_callback
from apps.calls.services.dispositions import UnknownDisposition, set_disposition
from apps.calls.services.opt_outs import opt_out_by_call
from apps.calls.tools.base import NOTE, BadArguments, Offer, Tool, ToolContext, note_of, object_schema, text_of
from apps.calls.voice_ai.base import ToolSpec
from apps.contacts.models import Channel


def _set_disposition(context: ToolContext, arguments: Mapping[str, Any]) -> str:
    code = text_of(arguments, "disposition")
    try:
        set_disposition(context.call_id, code, note_of(arguments))
    except UnknownDisposition as error:
        codes = ", ".join(Disposition.objects.filter(is_active=True).values_list("code", flat=True))
        raise BadArguments(f"there is no disposition {code!r}. Use one of: {codes}.") from error
    return "Done: the result of the call is noted."


def _opt_out(context: ToolContext, arguments: Mapping[str, Any]) -> str:
    wanted = arguments.get("channels") or list(Channel.values)
    if not isinstance(wanted, list) or not all(channel in Channel.values for channel in wanted):
        raise BadArguments(f"channels must be a list out of: {', '.join(Channel.values)}.")
    stopped = opt_out_by_call(context.call_id, channels=wanted, note=note_of(arguments))
    return f"Done: this number will not be contacted again by {', '.join(stopped)}."


def _schedule_callback(context: ToolContext, arguments: Mapping[str, Any]) -> str:
    raw = text_of(arguments, "at")
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
        schedule_callback(context.call_id, at=at, note=note_of(arguments))
    except BadCallbackTime as error:
        raise BadArguments("that is too far away. Ask for a time within the next year.") from error
    return f"Done: we will call back at {at.strftime('%Y-%m-%dT%H:%M')}, the person's local time."


def _disposition_spec(offer: Offer) -> ToolSpec | None:
    """The codes are the rows of the table: without rows there is nothing to choose."""
    rows = list(offer.dispositions)
    if not rows:
        return None
    meanings = " ".join(f"{row.code}: {row.description or row.name}." for row in rows)
    parameters = object_schema(
        ["disposition"],
        disposition={"type": "string", "enum": [row.code for row in rows], "description": meanings},
        note=NOTE,
    )
    description = "Note what the conversation came to. Call it once the result is clear, before the call ends."
    return ToolSpec(ToolName.SET_DISPOSITION.value, description, parameters)


def _opt_out_spec(offer: Offer) -> ToolSpec:
    return ToolSpec(
        ToolName.OPT_OUT.value,
        "Call this at once when the person does not want to be contacted again, in whatever words, and confirm it.",
        object_schema(
            [],
            channels={
                "type": "array",
                "items": {"type": "string", "enum": list(Channel.values)},
                "description": "What they do not want any more; leave out for everything.",
            },
            note=NOTE,
        ),
    )


def _callback_spec(offer: Offer) -> ToolSpec:
    return ToolSpec(
        ToolName.SCHEDULE_CALLBACK.value,
        "Note when the person wants to be called back.",
        object_schema(
            ["at"],
            at={"type": "string", "description": "The person's local time, like 2026-11-23T15:00."},
            note=NOTE,
        ),
    )


SET_DISPOSITION = Tool(
    ToolName.SET_DISPOSITION.value,
    _("The AI notes what the conversation came to, out of your dispositions."),
    _disposition_spec,
    _set_disposition,
    needs=_("Dispositions that are in use."),
)
OPT_OUT = Tool(
    ToolName.OPT_OUT.value,
    _("Whoever does not want to be called, texted or mailed again goes on the do-not-call list at once."),
    _opt_out_spec,
    _opt_out,
)
SCHEDULE_CALLBACK = Tool(
    ToolName.SCHEDULE_CALLBACK.value,
    _("The AI agrees on a time, and the campaign calls again then, if the rules allow that hour."),
    _callback_spec,
    _schedule_callback,
)
