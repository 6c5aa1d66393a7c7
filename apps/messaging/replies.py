"""What we answer by ourselves to STOP, START and HELP, in the person's language."""

from django.utils import translation
from django.utils.translation import gettext as _

from apps.accounts.models import Language
from apps.contacts.models import Contact
from apps.messaging.words import Keyword


def language_of(word: Keyword | None, contact: Contact | None) -> str:
    """A word of another language than English tells which one is read; else the contact's, else English."""
    if word is not None and word.language != Language.ENGLISH:
        return word.language
    return (contact.language if contact is not None else "") or Language.ENGLISH.value


def stopped(language: str) -> str:
    with translation.override(language):
        return _("You will get no more messages from this number. To get them again, reply START.")


def started(language: str) -> str:
    with translation.override(language):
        return _("You will get messages from this number again. To stop them, reply STOP.")


def helped(language: str) -> str:
    with translation.override(language):
        return _("To stop messages from this number, reply STOP. To speak with us, call this number.")
