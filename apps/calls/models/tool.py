"""What a virtual agent may be allowed to do during a call."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class ToolName(models.TextChoices):
    """Switched on per virtual agent. The functions behind them stand in apps.calls.tools."""

    END_CALL = "end_call", _("hang up when the conversation is over")
    SET_DISPOSITION = "set_disposition", _("choose the disposition")
    OPT_OUT = "opt_out", _("put the person on the do-not-call list")
    SCHEDULE_CALLBACK = "schedule_callback", _("agree on a callback")
    HAND_OVER = "hand_over", _("hand the call over to a queue or a person")
    TRANSFER_TO_NUMBER = "transfer_to_number", _("connect the call to another number")
    SEND_SMS = "send_sms", _("send the person a text message")
    SEND_DTMF = "send_dtmf", _("press keys, to get through a phone menu")
    LEAVE_VOICEMAIL = "leave_voicemail", _("leave a message on a voicemail")


def all_tools() -> list[str]:
    return [str(name) for name in ToolName.values]


def usual_tools() -> list[str]:
    """What a new virtual agent may do: nothing that costs money or takes the call out of our hands."""
    return [
        str(name)
        for name in (ToolName.END_CALL, ToolName.SET_DISPOSITION, ToolName.OPT_OUT, ToolName.SCHEDULE_CALLBACK)
    ]
