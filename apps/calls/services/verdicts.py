"""Who picked up, as a reviewer corrects it; what the session and the carrier found stays in the story."""

import structlog
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.calls.events import EventKind
from apps.calls.models import AnswerVerdict, Call, Leg, Party
from apps.calls.services.story import announce, call_context, lock_call, send_after_commit, tell
from apps.calls.signals import outcome_corrected
from apps.calls.states import Outcome
from apps.core.errors import DomainError

log = structlog.get_logger(__name__)


class UnknownVerdict(DomainError):
    code = "unknown_verdict"


class NobodyPickedUp(DomainError):
    code = "nobody_picked_up"
    status = 409


@transaction.atomic
def correct_verdict(call_id: int, verdict: str, *, by: User) -> Call:
    """Note who truly picked up, and set the outcome right: answered or voicemail.

    Said twice it changes nothing. Raises UnknownVerdict, NobodyPickedUp, Call.DoesNotExist.
    """
    if verdict not in AnswerVerdict.values:
        raise UnknownVerdict(_("There is no such verdict."), detail={"verdict": verdict})
    call = lock_call(call_id)
    if call.answered_at is None:
        raise NobodyPickedUp(_("Nobody picked up this call."))
    before = call.answer_verdict
    with call_context(call):
        if before == verdict:
            return call
        call.answer_verdict = verdict
        call.save(update_fields=["answer_verdict"])
        tell(call_id, EventKind.VERDICT_CORRECTED, timezone.now(), by=by, verdict=verdict, before=before)
        _set_outcome(call, Outcome.VOICEMAIL if verdict == AnswerVerdict.VOICEMAIL else Outcome.ANSWERED)
        announce(call)
        log.info("verdict_corrected", verdict=verdict, before=before)
    return call


def _set_outcome(call: Call, outcome: Outcome) -> None:
    """Of a call that is over; while it lasts the outcome is not known yet."""
    either = [Outcome.ANSWERED, Outcome.VOICEMAIL]
    if call.outcome not in either or call.outcome == outcome:
        return
    Leg.objects.filter(call=call, party=Party.CUSTOMER, outcome__in=either).update(outcome=outcome)
    before, call.outcome = call.outcome, outcome
    call.save(update_fields=["outcome"])
    tell(call.pk, EventKind.OUTCOME_CORRECTED, timezone.now(), before=str(before), outcome=str(outcome))
    send_after_commit(outcome_corrected, call_id=call.pk)
