"""The recorded voicemail messages in a virtual agent's form: listened to, uploaded, replaced, deleted."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Language, User
from apps.calls.models import VirtualAgent, VoicemailRecording
from apps.calls.services import voicemail_recordings
from apps.calls.services.voicemail_recordings import BadRecording, Prepared


class RecordedMessageInput(forms.ClearableFileInput):
    """What there is in a player, and a place for another file."""

    template_name = "admin/calls/recorded_message.html"
    clear_checkbox_label: Any = _("Delete it, and have the text above spoken instead")

    def is_initial(self, value: Any) -> bool:
        return isinstance(value, VoicemailRecording)

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        if self.is_initial(value):
            address = reverse("v1:virtual-agent-voicemail-recording", args=[value.virtual_agent_id, value.language])
            # With its content in the address, no browser plays what has been replaced.
            context["widget"]["sound_url"] = f"{address}?v={value.sha256[:12]}"
        return context

    def _render(self, template_name: str, context: Any, renderer: Any = None) -> SafeString:
        return render_to_string(template_name, context)  # a template of ours, not of Django's forms


class RecordedMessageField(forms.FileField):
    """Cleaned it is a ``Prepared`` message, the row that stays, False to have none any more, or nothing."""

    widget = RecordedMessageInput

    def __init__(self) -> None:
        super().__init__(
            label=_("Recorded message"),
            required=False,
            widget=RecordedMessageInput(attrs={"accept": ".wav,audio/wav,audio/x-wav"}),
            help_text=format_lazy(
                _(
                    "Played after the beep instead of having the text above spoken; write there what it says, for the "
                    "transcript. A WAV file of at most {seconds} seconds."
                ),
                seconds=voicemail_recordings.LONGEST_S,
            ),
        )

    def to_python(self, data: Any) -> Any:
        upload = super().to_python(data)
        if upload is None:
            return None
        try:
            return voicemail_recordings.prepare(upload)
        except BadRecording as error:
            raise ValidationError(str(error), code=str(error.detail["reason"])) from error


def field_name(language: str) -> str:
    return f"voicemail_recording_{language}"


# A field for each language there is, as the sections of the form name them.
RecordedMessages: Any = forms.forms.DeclarativeFieldsMetaclass(
    "RecordedMessages", (forms.BaseForm,), {field_name(code): RecordedMessageField() for code in Language.values}
)


def initial_of(agent: VirtualAgent) -> dict[str, VoicemailRecording]:
    if agent._state.adding:
        return {}
    return {field_name(row.language): row for row in agent.voicemail_recordings.all()}


def save_messages(agent: VirtualAgent, cleaned: dict[str, Any], *, by: User) -> None:
    """Do what the form says about each language."""
    for language in Language.values:
        chosen = cleaned.get(field_name(language))
        if isinstance(chosen, Prepared):
            voicemail_recordings.keep(agent.pk, language, chosen, by=by)
        elif chosen is False:
            voicemail_recordings.remove(agent.pk, language)
