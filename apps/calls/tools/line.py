"""What goes out on the line or beside it: key tones and text messages."""

import re
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.calls.bridge.sink import ToolResult
from apps.calls.models import ToolName
from apps.calls.services.keys import note_keys
from apps.calls.services.texts import MAX_TEXT, TextRefused, TooManyTexts, request_text
from apps.calls.tools.base import BadArguments, Offer, Tool, ToolContext, object_schema
from apps.calls.voice_ai.base import ToolSpec
from apps.contacts.consent import NotCallable

_KEYS = re.compile(r"[0-9A-D*#w]{1,32}")


def _send_dtmf(context: ToolContext, arguments: Mapping[str, Any]) -> ToolResult:
    keys = arguments.get("keys")
    if not isinstance(keys, str) or not _KEYS.fullmatch(keys) or not keys.strip("w"):
        raise BadArguments("keys must be up to 32 of 0-9 * # A-D, with w for a pause of half a second.")
    note_keys(context.call_id, keys)
    return ToolResult("Done: the keys are being pressed. Wait for what is said next.", digits=keys)


def _send_sms(context: ToolContext, arguments: Mapping[str, Any]) -> str:
    text = arguments.get("text")
    if not isinstance(text, str) or not text.strip():
        raise BadArguments("text is missing.")
    if len(text) > MAX_TEXT:
        raise BadArguments(f"the text is too long: at most {MAX_TEXT} characters.")
    try:
        is_news = request_text(context.call_id, text) is not None
    except NotCallable as refusal:
        raise BadArguments(
            f"this person may not be sent text messages ({refusal.code}). Say that you cannot send one."
        ) from refusal
    except TooManyTexts as error:
        raise BadArguments("enough messages were sent in this call. Send no more.") from error
    except TextRefused as error:
        raise BadArguments("no text can be sent from this number. Say that you cannot send one.") from error
    return "Done: the message is being sent." if is_news else "Done: this very message was sent already."


def _keys_spec(offer: Offer) -> ToolSpec:
    return ToolSpec(
        ToolName.SEND_DTMF.value,
        "Press keys of the phone, to get through an automated menu. Not for a person.",
        object_schema(
            ["keys"],
            keys={"type": "string", "description": "Up to 32 of 0-9 * # A-D; w waits half a second. For example 1w2."},
        ),
    )


def _sms_spec(offer: Offer) -> ToolSpec:
    return ToolSpec(
        ToolName.SEND_SMS.value,
        "Send the person you speak with a text message, to the number of this call. Ask first whether they want it.",
        object_schema(
            ["text"],
            text={
                "type": "string",
                "description": f"The whole message in the person's language, at most {MAX_TEXT} characters.",
            },
        ),
    )


SEND_DTMF = Tool(
    ToolName.SEND_DTMF.value,
    _("The AI presses keys where a phone menu answers."),
    _keys_spec,
    _send_dtmf,
)
SEND_SMS = Tool(
    ToolName.SEND_SMS.value,
    _(
        "The AI texts what was agreed to the number it speaks with, at most a few times in a call, "
        "and only where the rules and consents allow it."
    ),
    _sms_spec,
    _send_sms,
    needs=_("A number of ours that can send texts."),
)
