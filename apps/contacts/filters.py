"""How lists of contacts and do-not-call entries are narrowed."""

import django_filters
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Language
from apps.contacts.models import Channel, Contact, ContactList, DncEntry


def _matching(value: str, *, phone_field: str, name_fields: tuple[str, ...]) -> Q:
    """Each word must be found in one of the names, or its digits be part of the number."""
    everything = Q()
    for word in value.split():
        found = Q()
        for field in name_fields:
            found |= Q(**{f"{field}__icontains": word})
        digits = "".join(sign for sign in word if sign.isdigit())
        if len(digits) >= 3:
            found |= Q(**{f"{phone_field}__contains": digits})
        everything &= found
    return everything


class ContactFilter(django_filters.FilterSet):
    q = django_filters.CharFilter(method="search", label=_("Name, number or e-mail"))
    contact_list = django_filters.ModelChoiceFilter(
        queryset=ContactList.objects.all(), label=_("List"), empty_label=_("all lists")
    )
    language = django_filters.ChoiceFilter(choices=Language.choices, label=_("Language"), empty_label=_("any language"))
    country = django_filters.CharFilter(lookup_expr="iexact", label=_("Country (ISO code)"))
    is_dnc = django_filters.ChoiceFilter(
        method="on_dnc",
        choices=[("true", _("on the do-not-call list")), ("false", _("not on the do-not-call list"))],
        label=_("Do-not-call"),
        empty_label=_("all"),
    )

    class Meta:
        model = Contact
        fields: list[str] = []

    def search(self, contacts: QuerySet[Contact], name: str, value: str) -> QuerySet[Contact]:
        return contacts.filter(_matching(value, phone_field="phone", name_fields=("first_name", "last_name", "email")))

    def on_dnc(self, contacts: QuerySet[Contact], name: str, value: str) -> QuerySet[Contact]:
        listed = Exists(DncEntry.objects.filter(phone=OuterRef("phone"), channel=Channel.VOICE))
        return contacts.filter(listed) if value == "true" else contacts.filter(~listed)


class DncFilter(django_filters.FilterSet):
    q = django_filters.CharFilter(method="search", label=_("Number or note"))
    channel = django_filters.ChoiceFilter(choices=Channel.choices, label=_("Channel"), empty_label=_("any channel"))

    class Meta:
        model = DncEntry
        fields: list[str] = []

    def search(self, entries: QuerySet[DncEntry], name: str, value: str) -> QuerySet[DncEntry]:
        return entries.filter(_matching(value, phone_field="phone", name_fields=("note",)))
