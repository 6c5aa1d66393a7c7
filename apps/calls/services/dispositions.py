"""What a call meant to the business: chosen by the AI, corrected by people, every change kept."""

import structlog
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.calls.events import EventKind
from apps.calls.models import Call, Disposition
from apps.calls.services.story import announce, call_context, lock_call, tell
from apps.core.errors import DomainError

log = structlog.get_logger(__name__)


class UnknownDisposition(DomainError):
    code = "unknown_disposition"


@transaction.atomic
def set_disposition(call_id: int, code: str, note: str = "", by: User | None = None) -> Call:
    """Set the disposition; said twice it changes nothing. by: the person who corrects it, None for the AI.

    A person's correction is not overwritten by an AI that comes late. Raises UnknownDisposition, Call.DoesNotExist.
    """
    chosen = Disposition.objects.filter(code=code, is_active=True).first()
    if chosen is None:
        raise UnknownDisposition(_("There is no such disposition."), detail={"disposition": code})
    call = lock_call(call_id)
    before = call.disposition
    is_corrected = call.events.filter(kind=EventKind.DISPOSITION_CORRECTED).exists()
    is_same = before == chosen and call.disposition_note == note
    with call_context(call):
        if is_same or (by is None and is_corrected):
            return call
        call.disposition = chosen
        call.disposition_note = note
        call.save(update_fields=["disposition", "disposition_note"])
        kind = EventKind.DISPOSITION_SET if by is None else EventKind.DISPOSITION_CORRECTED
        before_code = before.code if before is not None else ""
        tell(call_id, kind, timezone.now(), by=by, code=code, before=before_code, note=note)
        announce(call)
        log.info("disposition_set", disposition=code, is_correction=by is not None)
    return call
