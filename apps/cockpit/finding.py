"""Global search: contacts, calls and campaigns that a word, a number or a call's id may mean."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db.models import Q

from apps.accounts.models import User
from apps.accounts.permissions import allowed
from apps.accounts.roles import Permission
from apps.calls.models import Call
from apps.calls.selectors import calls_visible_to, with_people
from apps.campaigns.models import Campaign
from apps.campaigns.selectors import campaigns_visible_to
from apps.contacts.models import Contact

N_EACH = 10
# Fewer digits would let someone who sees masked numbers only guess them digit by digit.
_LEAST_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Found:
    contacts: Sequence[Contact] = field(default_factory=list)
    calls: Sequence[Call] = field(default_factory=list)
    campaigns: Sequence[Campaign] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.contacts or self.calls or self.campaigns)


def find(user: User, text: str) -> Found:
    """At most N_EACH of each kind, of what this person may see. text: as typed; too short finds nothing."""
    words = text.split()
    if len(text.strip()) < 2 and not text.strip().isdecimal():
        return Found()
    digits = re.sub(r"\D", "", text) if re.fullmatch(r"[\d\s()+#./-]+", text.strip()) else ""
    return Found(
        contacts=_contacts(user, words, digits),
        calls=_calls(user, words, digits),
        campaigns=[] if digits else list(campaigns_visible_to(user).filter(name__icontains=text.strip())[:N_EACH]),
    )


def _named(words: Sequence[str], prefix: str = "") -> Q:
    """Every word begins or lies within the first or the last name."""
    matches = Q()
    for word in words:
        matches &= Q(**{f"{prefix}first_name__icontains": word}) | Q(**{f"{prefix}last_name__icontains": word})
    return matches


def _contacts(user: User, words: Sequence[str], digits: str) -> list[Contact]:
    if not allowed(user, Permission.CONTACTS_VIEW):
        return []
    contacts = Contact.objects.select_related("contact_list").order_by("last_name", "first_name", "pk")
    if not digits:
        return list(contacts.filter(_named(words))[:N_EACH])
    return list(contacts.filter(phone__contains=digits)[:N_EACH]) if len(digits) >= _LEAST_DIGITS else []


def _calls(user: User, words: Sequence[str], digits: str) -> list[Call]:
    calls = with_people(calls_visible_to(user)).order_by("-created_at")
    if not digits:
        return list(calls.filter(_named(words, "contact__"))[:N_EACH])
    matches = Q(remote_phone__contains=digits) if len(digits) >= _LEAST_DIGITS else Q()
    if len(digits) <= 18:
        matches |= Q(pk=int(digits))
    return list(calls.filter(matches)[:N_EACH]) if matches else []
