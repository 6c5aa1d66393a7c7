from django import forms
from django.utils.translation import gettext_lazy as _

from apps.calls.models import Number
from apps.messaging.services.sending import MAX_BODY


class TextForm(forms.Form):
    body = forms.CharField(
        label=_("Text"),
        max_length=MAX_BODY,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("More than 160 characters, or 70 with accents, are sent and paid for as several parts."),
    )
    number = forms.ModelChoiceField(
        Number.objects.filter(is_active=True, can_text=True), label=_("From our number"), empty_label=None
    )
