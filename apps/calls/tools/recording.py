"""What the AI does about the recording. Offered by the plan of a call that is recorded, not by a switch.

The session that asks holds the recorder: it does what it is told at once, whatever else may be out of order.
"""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.calls.bridge.sink import ToolResult
from apps.calls.services.recording_erasure import refuse_recording
from apps.calls.tools.base import Offer, Tool, ToolContext, object_schema
from apps.calls.voice_ai.base import ToolSpec


def _pause(context: ToolContext, arguments: Mapping[str, Any]) -> ToolResult:
    text = "Done: nothing is recorded now. Ask for the card data, and call resume_recording once you have them."
    return ToolResult(text, recording="pause")


def _resume(context: ToolContext, arguments: Mapping[str, Any]) -> ToolResult:
    return ToolResult("Done: the call is recorded again. Do not repeat any card data from now on.", recording="resume")


def _stop(context: ToolContext, arguments: Mapping[str, Any]) -> ToolResult:
    refuse_recording(context.call_id)
    text = "Done: this call is not recorded any more, and what was recorded is erased. Tell the person so."
    return ToolResult(text, recording="stop")


def _pause_spec(offer: Offer) -> ToolSpec:
    return ToolSpec(
        "pause_recording",
        "Call this before the person says card data (number, date, code), and only then ask for them.",
        object_schema([]),
    )


def _resume_spec(offer: Offer) -> ToolSpec:
    return ToolSpec(
        "resume_recording",
        "Call this as soon as all card data have been said, after pause_recording.",
        object_schema([]),
    )


def _stop_spec(offer: Offer) -> ToolSpec:
    return ToolSpec(
        "stop_recording",
        "Call this at once when the person does not want to be recorded, in whatever words. It cannot be undone.",
        object_schema([]),
    )


PAUSE_RECORDING = Tool(
    "pause_recording", _("The AI pauses the recording while card data are spoken."), _pause_spec, _pause
)
RESUME_RECORDING = Tool(
    "resume_recording", _("The AI records again after card data were spoken."), _resume_spec, _resume
)
STOP_RECORDING = Tool(
    "stop_recording", _("Who does not want to be recorded is not, and what there is is erased."), _stop_spec, _stop
)
