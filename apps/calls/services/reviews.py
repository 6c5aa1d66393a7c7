"""After the call: a language model sums it up, in a task, through a breaker; a row says what is still to do."""

import random
from contextlib import suppress
from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from apps.calls import adapters, reviewing
from apps.calls.costs import record_usage
from apps.calls.language_models import Answered, LanguageModelError
from apps.calls.metrics import REVIEWS
from apps.calls.models import Call, CallReview, Speaker, Turn
from apps.calls.models.cost import Part
from apps.calls.models.review import ReviewState
from apps.core.breaker import CircuitOpen, guard
from apps.core.errors import DomainError
from apps.core.queue import enqueue

log = structlog.get_logger(__name__)

# The last words may become text a little after the line is gone.
_SETTLES = timedelta(seconds=5)
_LOOK_BACK = timedelta(hours=24)
_MAX_TRIES = 6
_FIRST_PAUSE = timedelta(seconds=20)
_CLAIM = timedelta(minutes=5)
_MANY = 200


def request_missing(*, now: datetime) -> int:
    """A row for every call that ended lately, was talked in and is to be reviewed. Gives how many are new."""
    ended = Call.objects.filter(
        ended_at__gt=now - _LOOK_BACK,
        ended_at__lte=now - _SETTLES,
        answered_at__isnull=False,
        review__isnull=True,
        turns__speaker=Speaker.CALLER,
    ).exclude(virtual_agent__review_llm="")
    ids = list(ended.exclude(virtual_agent=None).distinct().values_list("pk", flat=True)[:_MANY])
    rows = [CallReview(call_id=pk, due_at=now) for pk in ids]
    return len(CallReview.objects.bulk_create(rows, ignore_conflicts=True))


def hand_out_due(*, now: datetime) -> int:
    """Give due reviews to the workers. Who dies with one leaves it to be due again a little later."""
    request_missing(now=now)
    with transaction.atomic():
        due = CallReview.objects.select_for_update(skip_locked=True).filter(state=ReviewState.WAITING, due_at__lte=now)
        ids = list(due.order_by("due_at").values_list("pk", flat=True)[:_MANY])
        CallReview.objects.filter(pk__in=ids).update(due_at=now + _CLAIM)
        for pk in ids:
            enqueue("calls.review_call", pk, expires_s=_CLAIM.total_seconds())
    return len(ids)


def review_again(call_id: int) -> None:
    """As a person asks: whatever came of it before."""
    CallReview.objects.update_or_create(
        call_id=call_id,
        defaults={"state": ReviewState.WAITING, "n_tries": 0, "error": "", "due_at": timezone.now(), "done_at": None},
    )


def review_call(review_id: int) -> None:
    """Ask the model and keep what it finds; a task, so it may come late or twice."""
    review = (
        CallReview.objects.select_related("call__virtual_agent")
        .filter(pk=review_id, state=ReviewState.WAITING, call__virtual_agent__isnull=False)
        .first()
    )
    if review is None or review.call.virtual_agent is None:
        return
    llm = review.call.virtual_agent.review_llm
    service, _, model = llm.partition(":")
    assignment = _assignment(review.call)
    try:
        language_model = adapters.language_model_for(service)
        with guard(adapters.llm_breaker(service)):
            answered = language_model.answer(
                model,
                instructions=reviewing.instructions_for(assignment),
                text=reviewing.transcript_of(assignment.lines),
                schema=reviewing.schema_for(assignment),
            )
        _bill(review, llm, answered)  # whatever the answer is worth
        findings = reviewing.read(assignment, answered.data)
    except CircuitOpen:
        _later(review, "circuit_open", counts=False)
    except LanguageModelError as error:
        _later(review, error.code, is_final=not error.retryable)
    except reviewing.BadReview as error:
        _later(review, f"malformed: {error}")
    except DomainError as error:
        _later(review, error.code, is_final=True)
    else:
        _keep(review, llm, findings)


def _assignment(call: Call) -> reviewing.Assignment:
    agent = call.virtual_agent
    assert agent is not None  # noqa: S101 - review_call has looked
    turns = Turn.objects.filter(call=call, speaker__in=[Speaker.CALLER, Speaker.AI, Speaker.AGENT])
    return reviewing.Assignment(
        lines=[reviewing.Line(turn.speaker, turn.text) for turn in turns.order_by("started_ms", "pk")],
        language=call.language,
        fields=agent.extracted_fields,
        questions=reviewing.questions_of(agent.qa_checklist),
    )


@transaction.atomic
def _keep(review: CallReview, llm: str, findings: reviewing.Findings) -> None:
    mine = CallReview.objects.filter(pk=review.pk, state=ReviewState.WAITING)
    kept = mine.update(
        state=ReviewState.DONE,
        summary=findings.summary,
        fields=dict(findings.fields),
        sentiment=findings.sentiment,
        qa=findings.qa,
        qa_score=findings.qa_score,
        llm=llm,
        n_tries=F("n_tries") + 1,
        error="",
        done_at=timezone.now(),
    )
    if kept:
        REVIEWS.labels("done").inc()
        log.info("call_reviewed", call_id=review.call_id, qa_score=findings.qa_score)


def _bill(review: CallReview, llm: str, answered: Answered) -> None:
    service, _, model = llm.partition(":")
    used = {
        Part.TEXT_IN.value: answered.text_in,
        Part.CACHED_IN.value: answered.cached_in,
        Part.TEXT_OUT.value: answered.text_out,
    }
    with suppress(Call.DoesNotExist):  # erased meanwhile, with all that it cost
        record_usage(review.call_id, service=service, model=model, usage=used)


def _later(review: CallReview, error: str, *, is_final: bool = False, counts: bool = True) -> None:
    n_tries = review.n_tries + counts
    is_over = is_final or n_tries >= _MAX_TRIES
    pause = _FIRST_PAUSE * (2**n_tries) * (0.75 + random.random() / 2)  # noqa: S311 - spreads load, hides nothing
    CallReview.objects.filter(pk=review.pk, state=ReviewState.WAITING).update(
        state=ReviewState.FAILED if is_over else ReviewState.WAITING,
        n_tries=n_tries,
        error=error[:200],
        due_at=timezone.now() + pause,
    )
    REVIEWS.labels("failed" if is_over else "put_off").inc()
    log.warning("call_not_reviewed", call_id=review.call_id, error=error[:80], n_tries=n_tries, is_final=is_over)
