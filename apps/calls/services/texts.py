"""Text messages asked for in a call. The line in the call's story is the work to be done; messaging does it."""

import structlog
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.calls.events import EventKind
from apps.calls.models import CallEvent, Number
from apps.calls.services.story import call_context, lock_call, tell
from apps.contacts import consent
from apps.contacts.consent import NotCallable
from apps.contacts.models import Channel
from apps.contacts.services import person_of
from apps.core.errors import DomainError
from apps.core.queue import enqueue

log = structlog.get_logger(__name__)

MAX_TEXT = 800  # about six parts: a message, not a letter
MAX_PER_CALL = 3


class TooManyTexts(DomainError):
    code = "too_many_texts"
    status = 429


class TextRefused(DomainError):
    code = "cannot_text"
    status = 409


def request_text(call_id: int, text: str, *, by: User | None = None) -> CallEvent | None:
    """Have the other side of the call sent a text message; None if this very text was asked for already.

    text: 1 to MAX_TEXT characters. The gate is asked here, so that the AI can say at once that it may not be, and once
    more before the message leaves. Raises NotCallable, TooManyTexts, TextRefused, Call.DoesNotExist.
    """
    now = timezone.now()
    body = text.replace("\x00", "").strip()
    with transaction.atomic():
        call = lock_call(call_id)
        with call_context(call):
            if not Number.objects.filter(is_active=True, can_text=True).exists():
                raise TextRefused(_("None of our numbers can send texts."))
            asked = list(call.events.filter(kind=EventKind.TEXT_REQUESTED).values_list("data__text", flat=True))
            if body in asked:
                return None
            if len(asked) >= MAX_PER_CALL:
                raise TooManyTexts(_("No more than %(n)d text messages are sent in one call.") % {"n": MAX_PER_CALL})
            person = call.contact or person_of(call.remote_phone)
            verdict = consent.check(person, channel=Channel.SMS, at=now, is_ai=by is None)
            if verdict.allowed:
                event = tell(call_id, EventKind.TEXT_REQUESTED, now, by=by, text=body)
                enqueue("messaging.send_text", event.pk)
                log.info("text_requested")
                return event
            tell(call_id, EventKind.TEXT_REFUSED, now, by=by, reason=verdict.reason)
            log.info("text_refused", reason=verdict.reason)
    raise NotCallable(verdict)
