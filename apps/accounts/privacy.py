"""What of a person's data a reader may see."""

from typing import Any

from apps.accounts.permissions import allowed
from apps.accounts.roles import Permission
from apps.core.logging import mask_value
from apps.core.phone import mask


def phone_for(user: Any, e164: str) -> str:
    """The number, masked unless the reader may see it."""
    return e164 if allowed(user, Permission.CONTACTS_UNMASK) else mask(e164)


def email_for(user: Any, email: str) -> str:
    """The address, "" unless the reader may see whole phone numbers too."""
    return email if allowed(user, Permission.CONTACTS_UNMASK) else ""


def data_for(user: Any, data: Any) -> Any:
    """Free-form data of a record, numbers and addresses in it masked unless the reader may see them."""
    return data if allowed(user, Permission.CONTACTS_UNMASK) else mask_value(data)
