"""What the session does by itself: it hears the end of the sentence, and the beep."""

from django.utils.translation import gettext_lazy as _

from apps.calls.models import ToolName
from apps.calls.tools.base import Offer, Tool, object_schema
from apps.calls.voice_ai.base import ToolSpec


def _end_call(offer: Offer) -> ToolSpec:
    return ToolSpec(
        ToolName.END_CALL.value,
        "Hang up. Say goodbye first, in the same turn; the call ends once the goodbye has been heard.",
        object_schema(["reason"], reason={"type": "string", "description": "Why the call is over, in a few words."}),
    )


def _leave_voicemail(offer: Offer) -> ToolSpec:
    return ToolSpec(
        ToolName.LEAVE_VOICEMAIL.value,
        "Call this when a recorded greeting answers instead of a person, and say nothing yourself: after the beep you "
        "are told to leave the message, and the call ends with it.",
        object_schema(
            [], message={"type": "string", "description": "What to say, if it differs from what was agreed."}
        ),
    )


END_CALL = Tool(
    ToolName.END_CALL.value,
    _("The AI says goodbye and the call ends when the goodbye has been heard. Without it, people have to hang up."),
    _end_call,
)
LEAVE_VOICEMAIL = Tool(
    ToolName.LEAVE_VOICEMAIL.value,
    _("Where a machine answers, the AI waits for the beep, leaves a message and hangs up."),
    _leave_voicemail,
)
