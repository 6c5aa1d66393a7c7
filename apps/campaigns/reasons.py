"""Why a person of a campaign is not being dialled: one stored code each, and the words for it."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.contacts.consent import REASONS as LEGAL_REASONS

OUTSIDE_WINDOW = "outside_window"
ALREADY_IN_CALL = "already_in_call"
NOT_PLACED = "not_placed"
WILL_RETRY = "will_retry"
CALLBACK_AGREED = "callback_agreed"
ATTEMPTS_USED_UP = "attempts_used_up"
DNC = "dnc"
OUTSIDE_HOURS = "outside_hours"

# Codes that pass by themselves: the person is dialled when next_attempt_at comes.
PASSING = frozenset({OUTSIDE_HOURS, OUTSIDE_WINDOW, ALREADY_IN_CALL, NOT_PLACED, WILL_RETRY, CALLBACK_AGREED})

REASONS: dict[str, Promise] = {
    **LEGAL_REASONS,
    OUTSIDE_WINDOW: _("Outside the campaign's calling windows."),
    ALREADY_IN_CALL: _("The same number is in a call already."),
    NOT_PLACED: _("The carrier could not be asked; it will be tried again."),
    WILL_RETRY: _("Was called and will be tried again."),
    CALLBACK_AGREED: _("A call was agreed for later."),
    ATTEMPTS_USED_UP: _("Was called as often as the retry rule allows."),
}


def words(code: str) -> str | Promise:
    """The reason in the reader's language; "" for no reason, and the code itself for one not known here."""
    return REASONS.get(code, code)
