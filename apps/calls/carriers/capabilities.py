"""What each carrier does, by its code; to be asked without its SDK."""

from apps.calls.carriers.base import Capabilities

CAPABILITIES: dict[str, Capabilities] = {
    "twilio": Capabilities(takes_documents=True, hangs_up_after_stream=True, finds_ended=True, sends_dtmf=False),
    "telnyx": Capabilities(takes_documents=False, hangs_up_after_stream=False, finds_ended=False, sends_dtmf=True),
}
