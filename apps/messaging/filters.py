"""How a list of messages is narrowed, on the page, in its CSV and in the API alike."""

from decimal import Decimal

import django_filters
from django import forms
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from apps.calls.models import Direction
from apps.messaging.models import Keyword, Message
from apps.messaging.states import MessageState


def _date_input() -> forms.DateInput:
    return forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


class MessageFilter(django_filters.FilterSet):
    q = django_filters.CharFilter(method="search", label=_("Name, number or text"))
    direction = django_filters.ChoiceFilter(
        choices=Direction.choices, label=_("Direction"), empty_label=_("both directions")
    )
    state = django_filters.ChoiceFilter(choices=MessageState.choices, label=_("State"), empty_label=_("any state"))
    keyword = django_filters.ChoiceFilter(choices=Keyword.choices, label=_("Keyword"), empty_label=_("any keyword"))
    since = django_filters.DateFilter(
        field_name="created_at", lookup_expr="date__gte", label=_("From"), widget=_date_input()
    )
    until = django_filters.DateFilter(
        field_name="created_at", lookup_expr="date__lte", label=_("To"), widget=_date_input()
    )
    contact = django_filters.NumberFilter(method="of_contact", label=_("Contact no."), widget=forms.HiddenInput())
    call = django_filters.NumberFilter(method="of_call", label=_("Call no."), widget=forms.HiddenInput())
    campaign = django_filters.NumberFilter(method="of_campaign", label=_("Campaign no."), widget=forms.HiddenInput())

    class Meta:
        model = Message
        fields: list[str] = []

    def search(self, messages: QuerySet[Message], name: str, value: str) -> QuerySet[Message]:
        """Each word must be found in a name or the text, or be part of the other side's number."""
        for word in value.replace("\x00", "").split():
            digits = "".join(sign for sign in word if sign.isdigit())
            found = (
                Q(contact__first_name__icontains=word) | Q(contact__last_name__icontains=word) | Q(body__icontains=word)
            )
            if len(digits) >= 3:
                found |= Q(remote_phone__contains=digits)
            messages = messages.filter(found)
        return messages

    def of_contact(self, messages: QuerySet[Message], name: str, value: Decimal) -> QuerySet[Message]:
        return messages.filter(contact_id=int(value))

    def of_call(self, messages: QuerySet[Message], name: str, value: Decimal) -> QuerySet[Message]:
        return messages.filter(call_id=int(value))

    def of_campaign(self, messages: QuerySet[Message], name: str, value: Decimal) -> QuerySet[Message]:
        return messages.filter(campaign_id=int(value))
