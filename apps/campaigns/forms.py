"""The campaign form: who, what, when, how fast, and what after each outcome."""

from typing import Any

from django import forms
from django.forms import BaseInlineFormSet, inlineformset_factory
from django.utils.translation import gettext_lazy as _

from apps.calls.models import Number, VirtualAgent
from apps.calls.states import Outcome
from apps.campaigns.models import CallingWindow, Campaign, RetryRule


class CampaignForm(forms.ModelForm[Campaign]):
    class Meta:
        model = Campaign
        fields = (
            "name",
            "contact_list",
            "virtual_agent",
            "numbers",
            "max_concurrent",
            "calls_per_second",
            "ring_timeout_s",
            "is_recorded",
        )
        widgets = {"numbers": forms.CheckboxSelectMultiple}
        help_texts = {
            "max_concurrent": _("Never more lines than this are taken at once."),
            "calls_per_second": _("New calls are started no faster than this."),
            "ring_timeout_s": _("At least 15 seconds; some countries' rules ask for it."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["virtual_agent"].queryset = VirtualAgent.objects.filter(is_active=True)  # type: ignore[attr-defined]
        self.fields["numbers"].queryset = Number.objects.filter(is_active=True)  # type: ignore[attr-defined]


class WindowForm(forms.ModelForm[CallingWindow]):
    class Meta:
        model = CallingWindow
        fields = ("weekday", "starts_at", "ends_at")
        widgets = {
            "starts_at": forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
            "ends_at": forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        }

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        starts_at, ends_at = data.get("starts_at"), data.get("ends_at")
        if starts_at and ends_at and ends_at <= starts_at:
            self.add_error("ends_at", _("A window ends after it starts."))
        return data


class RetryRuleForm(forms.ModelForm[RetryRule]):
    outcome = forms.ChoiceField(
        label=_("After"),
        choices=[
            ("", "---------"),
            *(
                (outcome.value, outcome.label)
                for outcome in (Outcome.BUSY, Outcome.NO_ANSWER, Outcome.VOICEMAIL, Outcome.FAILED, Outcome.CANCELED)
            ),
        ],
    )

    class Meta:
        model = RetryRule
        fields = ("outcome", "delay_s", "max_attempts")


class _OncePerOutcome(BaseInlineFormSet[RetryRule, Campaign, RetryRuleForm]):
    def clean(self) -> None:
        super().clean()
        seen = set()
        for form in self.forms:
            outcome = form.cleaned_data.get("outcome") if hasattr(form, "cleaned_data") else None
            if not outcome or form.cleaned_data.get("DELETE"):
                continue
            if outcome in seen:
                form.add_error("outcome", _("There is a rule for this outcome already."))
            seen.add(outcome)


WindowFormSet = inlineformset_factory(Campaign, CallingWindow, form=WindowForm, extra=1, can_delete=True)
RetryRuleFormSet = inlineformset_factory(
    Campaign, RetryRule, form=RetryRuleForm, formset=_OncePerOutcome, extra=1, can_delete=True
)
