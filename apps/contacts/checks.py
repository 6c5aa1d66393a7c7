"""What must be in order before anyone may be called."""

from typing import Any

from django.core.checks import CheckMessage, Error, register

from apps.contacts.rules import BadRulePack, all_packs


@register
def rule_packs_are_in_order(**_kwargs: Any) -> list[CheckMessage]:
    try:
        all_packs()
    except BadRulePack as error:
        return [
            Error(f"A rule pack cannot be used: {error}", hint="See apps/contacts/rule_packs/.", id="contacts.E001")
        ]
    return []
