"""Keys that a virtual agent presses, kept in the call's story; the tones themselves are made by the session."""

import structlog
from django.db import transaction
from django.utils import timezone

from apps.calls.events import EventKind
from apps.calls.services.story import call_context, lock_call, tell

log = structlog.get_logger(__name__)


@transaction.atomic
def note_keys(call_id: int, keys: str) -> None:
    """keys: of 0-9 * # A-D, with w for a pause. Raises Call.DoesNotExist."""
    call = lock_call(call_id)
    with call_context(call):
        tell(call_id, EventKind.KEYS_SENT, timezone.now(), digits=keys)
        log.info("keys_sent", n=len(keys))
