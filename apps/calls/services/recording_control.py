"""Pausing and resuming the recording of a running call, by people."""

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.calls.events import EventKind
from apps.calls.services.media_commands import send_to_session
from apps.calls.services.story import lock_call, tell

ACTS = ("pause", "resume")


@transaction.atomic
def ask(call_id: int, act: str, *, by: User) -> bool:
    """Have the call's session pause or resume its recording. act: one of ACTS. False if the call is over.

    The call's story says who asked; that it happened, the session says itself.
    """
    call = lock_call(call_id)
    if not call.is_live:
        return False
    tell(call_id, EventKind.RECORDING_ASKED, timezone.now(), by=by, act=act)
    send_to_session(call_id, f"{act}_recording", reason="staff")
    return True
