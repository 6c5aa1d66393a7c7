"""Forms of the call page. Where nothing was found out, nothing is chosen: a hasty click must not say what was not."""

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.calls.models import AnswerVerdict, Disposition


class DispositionForm(forms.Form):
    """A supervisor's correction of what a call meant."""

    disposition: forms.ModelChoiceField[Disposition] = forms.ModelChoiceField(
        Disposition.objects.filter(is_active=True), label=_("Disposition"), to_field_name="code"
    )
    note = forms.CharField(label=_("Note"), required=False, max_length=500, widget=forms.Textarea(attrs={"rows": 2}))


class VerdictForm(forms.Form):
    """A reviewer's correction of who picked up."""

    verdict = forms.ChoiceField(label=_("Who picked up"), choices=[("", "---------"), *AnswerVerdict.choices])
