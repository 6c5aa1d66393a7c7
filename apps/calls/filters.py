"""How a list of calls is narrowed, on the page, in its CSV and in the API alike."""

from decimal import Decimal

import django_filters
from django import forms
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Language
from apps.calls.models import Call, Direction, Disposition
from apps.calls.states import Outcome


def _date_input() -> forms.DateInput:
    return forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


class CallFilter(django_filters.FilterSet):
    q = django_filters.CharFilter(method="search", label=_("Name or number"))
    outcome = django_filters.ChoiceFilter(choices=Outcome.choices, label=_("Outcome"), empty_label=_("any outcome"))
    disposition = django_filters.ModelChoiceFilter(
        queryset=Disposition.objects.all(),
        to_field_name="code",
        label=_("Disposition"),
        empty_label=_("any disposition"),
    )
    direction = django_filters.ChoiceFilter(
        choices=Direction.choices, label=_("Direction"), empty_label=_("both directions")
    )
    language = django_filters.ChoiceFilter(choices=Language.choices, label=_("Language"), empty_label=_("any language"))
    is_live = django_filters.ChoiceFilter(
        method="only_live",
        choices=[("true", _("in progress")), ("false", _("ended"))],
        label=_("State"),
        empty_label=_("any state"),
    )
    since = django_filters.DateFilter(
        field_name="created_at", lookup_expr="date__gte", label=_("From"), widget=_date_input()
    )
    until = django_filters.DateFilter(
        field_name="created_at", lookup_expr="date__lte", label=_("To"), widget=_date_input()
    )
    campaign = django_filters.NumberFilter(method="of_campaign", label=_("Campaign no."), widget=forms.HiddenInput())

    class Meta:
        model = Call
        fields: list[str] = []

    def search(self, calls: QuerySet[Call], name: str, value: str) -> QuerySet[Call]:
        """Each word must be found in a name, or be part of the other side's number."""
        for word in value.split():
            digits = "".join(sign for sign in word if sign.isdigit())
            found = Q(contact__first_name__icontains=word) | Q(contact__last_name__icontains=word)
            if len(digits) >= 3:
                found |= Q(remote_phone__contains=digits)
            calls = calls.filter(found)
        return calls

    def of_campaign(self, calls: QuerySet[Call], name: str, value: Decimal) -> QuerySet[Call]:
        return calls.filter(brief__campaign_id=int(value))

    def only_live(self, calls: QuerySet[Call], name: str, value: str) -> QuerySet[Call]:
        return calls.filter(ended_at__isnull=value == "true")
