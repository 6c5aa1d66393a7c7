"""What happens on the line."""

from apps.calls.models.answering import AnswerVerdict
from apps.calls.models.call import Call, Direction, EndReason
from apps.calls.models.cost import CostItem, Price
from apps.calls.models.disposition import Disposition
from apps.calls.models.event import CallEvent
from apps.calls.models.http_tool import HttpTool, HttpToolHeader
from apps.calls.models.leg import Leg, Party
from apps.calls.models.number import Carrier, Number, Route
from apps.calls.models.recording import Recording, RecordingPart
from apps.calls.models.review import CallReview, ReviewState, Sentiment
from apps.calls.models.tool import ToolName
from apps.calls.models.transfer_target import TargetKind, TransferTarget
from apps.calls.models.turn import Speaker, Turn
from apps.calls.models.virtual_agent import Provider, Recorder, VirtualAgent, VoiceAIChoice, VoiceAIFallback
from apps.calls.models.voicemail_recording import VoicemailRecording

__all__ = [
    "AnswerVerdict",
    "Call",
    "CallEvent",
    "CallReview",
    "Carrier",
    "CostItem",
    "Direction",
    "Disposition",
    "EndReason",
    "HttpTool",
    "HttpToolHeader",
    "Leg",
    "Number",
    "Party",
    "Price",
    "Provider",
    "Recorder",
    "Recording",
    "RecordingPart",
    "ReviewState",
    "Route",
    "Sentiment",
    "Speaker",
    "TargetKind",
    "ToolName",
    "TransferTarget",
    "Turn",
    "VirtualAgent",
    "VoiceAIChoice",
    "VoiceAIFallback",
    "VoicemailRecording",
]
