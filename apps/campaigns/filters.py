"""How lists of campaigns, and of the people of one, are narrowed."""

import django_filters
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from apps.calls.states import Outcome
from apps.campaigns import reasons
from apps.campaigns.models import Campaign, CampaignContact
from apps.campaigns.states import CampaignState, ContactState


class CampaignFilter(django_filters.FilterSet):
    q = django_filters.CharFilter(field_name="name", lookup_expr="icontains", label=_("Name"))
    state = django_filters.ChoiceFilter(choices=CampaignState.choices, label=_("State"), empty_label=_("any state"))

    class Meta:
        model = Campaign
        fields: list[str] = []


class PeopleFilter(django_filters.FilterSet):
    q = django_filters.CharFilter(method="search", label=_("Name or number"))
    state = django_filters.ChoiceFilter(choices=ContactState.choices, label=_("State"), empty_label=_("any state"))
    reason = django_filters.ChoiceFilter(
        choices=lambda: list(reasons.REASONS.items()), label=_("Reason"), empty_label=_("any reason")
    )
    outcome = django_filters.ChoiceFilter(choices=Outcome.choices, label=_("Outcome"), empty_label=_("any outcome"))

    class Meta:
        model = CampaignContact
        fields: list[str] = []

    def search(self, people: QuerySet[CampaignContact], name: str, value: str) -> QuerySet[CampaignContact]:
        """Each word must be found in a name, or its digits be part of the number."""
        for word in value.split():
            digits = "".join(sign for sign in word if sign.isdigit())
            found = Q(contact__first_name__icontains=word) | Q(contact__last_name__icontains=word)
            if len(digits) >= 3:
                found |= Q(contact__phone__contains=digits)
            people = people.filter(found)
        return people
