"""How a list of calls is narrowed, on the page, in its CSV and in the API alike."""

import django_filters
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Language
from apps.calls.models import Call, Direction, Disposition
from apps.calls.states import Outcome


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
    is_live = django_filters.BooleanFilter(method="only_live", label=_("In progress"))
    campaign = django_filters.NumberFilter(field_name="brief__campaign_id", label=_("Campaign"))
    created = django_filters.DateFromToRangeFilter(field_name="created_at", label=_("Date"))

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

    def only_live(self, calls: QuerySet[Call], name: str, value: bool) -> QuerySet[Call]:
        return calls.filter(ended_at__isnull=value)
