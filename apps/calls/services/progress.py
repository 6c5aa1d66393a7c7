"""News from the line: leg and call move forward, once, whatever is repeated, late or out of order."""

from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models.functions import Coalesce
from django.utils import timezone

from apps.calls.carriers.base import LineNews, LineStatus, MachineNews, StreamNews, Verdict
from apps.calls.events import EventKind
from apps.calls.metrics import CALLS_PLACED, RING_SECONDS, TRANSFERS
from apps.calls.models import AnswerVerdict, Call, Leg, Party
from apps.calls.services.ending import settle_leg
from apps.calls.services.media_commands import send_to_session
from apps.calls.services.steps import mark_accepted
from apps.calls.services.story import announce, call_context, is_told, lock_leg, send_after_commit, tell
from apps.calls.signals import call_answered, outcome_corrected
from apps.calls.states import LegState, Outcome, earlier_than
from apps.core import phone
from apps.core.queue import enqueue

log = structlog.get_logger(__name__)

_STATES = {
    LineStatus.QUEUED: LegState.QUEUED,
    LineStatus.RINGING: LegState.RINGING,
    LineStatus.ANSWERED: LegState.ANSWERED,
}
_KINDS = {
    LegState.QUEUED: EventKind.QUEUED,
    LegState.RINGING: EventKind.RINGING,
    LegState.ANSWERED: EventKind.ANSWERED,
    LegState.ENDED: EventKind.ENDED,
}
_OUTCOMES = {
    LineStatus.BUSY: Outcome.BUSY,
    LineStatus.NO_ANSWER: Outcome.NO_ANSWER,
    LineStatus.FAILED: Outcome.FAILED,
    LineStatus.CANCELED: Outcome.CANCELED,
}
_STAMP_PRECISION = timedelta(seconds=2)
_TALKED = [Outcome.ANSWERED, Outcome.VOICEMAIL]


def outcome_of(status: LineStatus, verdict: Verdict, *, was_answered: bool = True, is_ending: bool = False) -> Outcome:
    """What a final status comes to. A fax machine counts as voicemail: something picked up that is no person.

    was_answered: as far as we know. is_ending: somebody of ours wanted it ended.
    """
    if status is LineStatus.OVER and not was_answered:
        return Outcome.CANCELED if is_ending else Outcome.FAILED
    if status is LineStatus.COMPLETED and not was_answered and is_ending:
        return Outcome.CANCELED  # carriers call it a normal end, too, when we hang up while it rings
    if status not in {LineStatus.COMPLETED, LineStatus.OVER}:
        return _OUTCOMES[status]
    return Outcome.VOICEMAIL if verdict in {Verdict.MACHINE, Verdict.FAX} else Outcome.ANSWERED


def when(at: datetime | None, *, now: datetime) -> datetime:
    """The time of an event: the carrier's, unless it is cut to a whole second that our own clock knows better."""
    if at is None or at > now or (at.microsecond == 0 and now - at < _STAMP_PRECISION):
        return now
    return at


@transaction.atomic
def leg_progressed(leg_id: int, news: LineNews) -> bool:
    """Apply what the carrier says. True if the leg moved; repeats, late news and another call's news change nothing.

    A final state stays. Facts that come late (when it rang, when it was answered) are still filled in.
    """
    now = timezone.now()
    call, leg = lock_leg(leg_id)
    with call_context(call):
        if not _is_ours(leg, news.carrier_call_id) or is_told(news.key):
            return False
        _note_verdict(leg, news.answered_by, news.verdict)
        _correct_outcome(call, leg, news.verdict)
        if news.status.is_final:
            moved = settle_leg(
                leg,
                outcome_of(
                    news.status,
                    _verdict_of(leg, call),
                    was_answered=bool(leg.answered_at or leg.media_opened_at or news.duration_s),
                    is_ending=bool(call.end_reason),
                ),
                at=when(news.at, now=now),
                key=news.key,
                sip_code=news.sip_code,
                duration_s=news.duration_s if news.status is LineStatus.COMPLETED else None,
                carrier_error="" if news.status is LineStatus.COMPLETED else news.cause,
            )
        else:
            moved = _move(call, leg, news, at=when(news.at, now=now), now=now)
        if not moved:
            _take_late(call, leg, news, at=when(news.at, now=now))
        return moved


def leg_accepted_at_once(leg: Leg, carrier_call_id: str) -> bool:
    """As ``leg_accepted`` in one query, for the usual case: nothing has happened since the carrier was asked.

    leg: as its row was then, with its call, contact and virtual agent. False, and nothing done, in any other case.
    """
    if not mark_accepted(leg, carrier_call_id, now=timezone.now()):
        return False
    announce(leg.call, leg)
    CALLS_PLACED.labels(leg.carrier).inc()
    log.info("leg_queued", leg_id=leg.pk)
    return True


@transaction.atomic
def leg_accepted(leg_id: int, carrier_call_id: str) -> None:
    """The carrier took our request and named the call. Its webhooks may have been faster than its answer."""
    now = timezone.now()
    call, leg = lock_leg(leg_id)
    with call_context(call):
        if not _is_ours(leg, carrier_call_id):
            return
        CALLS_PLACED.labels(leg.carrier).inc()
        news = LineNews(carrier_call_id=carrier_call_id, status=LineStatus.QUEUED)
        if leg.state == LegState.ENDED:
            _hang_up_if_unwanted(call, leg)
        elif not _move(call, leg, news, at=now, now=now):
            log.info("leg_accepted_after_news", leg_id=leg_id, state=leg.state)


@transaction.atomic
def machine_heard(leg_id: int, news: MachineNews) -> bool:
    """Store who picked up, by the carrier's verdict. A machine makes an answered leg a voicemail, also afterwards."""
    now = timezone.now()
    call, leg = lock_leg(leg_id)
    with call_context(call):
        if not _is_ours(leg, news.carrier_call_id) or is_told(news.key):
            return False
        tell(
            call.pk,
            EventKind.MACHINE_VERDICT,
            now,
            leg_id=leg.pk,
            key=news.key,
            answered_by=news.answered_by,
            verdict=str(news.verdict),
            took_ms=news.took_ms,
        )
        _note_verdict(leg, news.answered_by, news.verdict)
        _correct_outcome(call, leg, news.verdict)
        if leg.party == Party.CUSTOMER and leg.state != LegState.ENDED:
            verdict, answered_by = str(news.verdict), news.answered_by
            send_to_session(call.pk, "machine_verdict", verdict=verdict, answered_by=answered_by)
        announce(call, leg)
        log.info("machine_verdict_heard", leg_id=leg.pk, answered_by=news.answered_by)
        return True


@transaction.atomic
def stream_changed(leg_id: int, news: StreamNews) -> bool:
    """A line in the story; what to do about a lost stream is decided when the carrier asks for it."""
    now = timezone.now()
    call, leg = lock_leg(leg_id)
    with call_context(call):
        if not _is_ours(leg, news.carrier_call_id) or is_told(news.key):
            return False
        if news.event == "started" and leg.state in earlier_than(LegState.ANSWERED):
            # Only an answered call has a stream: the news of the answer is lost, or still on its way.
            answered = LineNews(carrier_call_id=news.carrier_call_id, status=LineStatus.ANSWERED)
            _move(call, leg, answered, at=when(news.at, now=now), now=now)
        kind = EventKind(f"stream_{news.event}")
        tell(call.pk, kind, when(news.at, now=now), leg_id=leg.pk, key=news.key, error=news.error)
        if news.error:
            log.warning("stream_failed", leg_id=leg.pk, error=news.error)
        return True


def _move(call: Call, leg: Leg, news: LineNews, *, at: datetime, now: datetime) -> bool:
    state = _STATES[news.status]
    times: dict[str, datetime] = {}
    if state is LegState.RINGING:
        times = {"ringing_at": at}
    elif state is LegState.ANSWERED:
        times = {"answered_at": at}
    moved = Leg.objects.filter(pk=leg.pk, state__in=earlier_than(state)).update(state=state, updated_at=now, **times)
    if not moved:
        return False
    leg.state = state
    for name, time in times.items():
        setattr(leg, name, time)
    tell(call.pk, _KINDS[state], at, leg_id=leg.pk, key=news.key)
    if state is LegState.ANSWERED:
        if leg.ringing_at is not None:
            RING_SECONDS.labels(leg.carrier).observe(max(0.0, (at - leg.ringing_at).total_seconds()))
        mine = Call.objects.filter(pk=call.pk, answered_at__isnull=True)
        if leg.party == Party.CUSTOMER and mine.update(answered_at=at):
            call.answered_at = at
            send_after_commit(call_answered, call_id=call.pk)
    _hang_up_if_unwanted(call, leg)
    if state is LegState.ANSWERED and leg.party == Party.TARGET:
        _joined(call, leg, at=at, now=now)
    announce(call, leg)
    log.info(f"leg_{state.value}", leg_id=leg.pk)
    return True


def _joined(call: Call, target: Leg, *, at: datetime, now: datetime) -> None:
    """Whom the call was passed on to has answered: both are talking, also where nobody had answered the caller."""
    TRANSFERS.labels(target.carrier, "joined").inc()
    tell(call.pk, EventKind.TRANSFERRED, at, leg_id=target.pk, to=phone.mask(target.to_number))
    first = Leg.objects.filter(call_id=call.pk, party=Party.CUSTOMER, state__in=earlier_than(LegState.ANSWERED)).first()
    if first is not None and first.carrier_call_id is not None:
        first.call = call
        _move(call, first, LineNews(first.carrier_call_id, LineStatus.ANSWERED), at=at, now=now)


def _take_late(call: Call, leg: Leg, news: LineNews, *, at: datetime) -> None:
    """News of something that is past: keep the facts it bears, and the line it takes to know its repeat."""
    leg.refresh_from_db()
    has_talked = leg.outcome in ["", *_TALKED]
    if news.status is LineStatus.RINGING and news.at is not None:
        Leg.objects.filter(pk=leg.pk).update(ringing_at=Coalesce("ringing_at", at))
    if news.status is LineStatus.ANSWERED and news.at is not None and has_talked:
        # The carrier's own clock is better than the arrival of its request for a document, or than counting back.
        Leg.objects.filter(pk=leg.pk).update(answered_at=at)
        if leg.party == Party.CUSTOMER:
            Call.objects.filter(pk=call.pk).update(answered_at=at)
            call.answered_at = at
            announce(call, leg)
    if news.key:
        kind = EventKind.ENDED if news.status.is_final else _KINDS[_STATES[news.status]]
        tell(call.pk, kind, at, leg_id=leg.pk, key=news.key, is_late=True, status=str(news.status))
    if not news.status.is_final and leg.state == LegState.ENDED:
        _hang_up_if_unwanted(call, leg)
    log.info("late_news_taken", leg_id=leg.pk, state=leg.state, status=str(news.status))


def _hang_up_if_unwanted(call: Call, leg: Leg) -> None:
    """The carrier's id is known now: hang up what was to end before it was, or what was written off and rings."""
    written_off = leg.state == LegState.ENDED and leg.outcome == Outcome.NOT_PLACED
    if written_off:
        log.error("written_off_leg_rings", leg_id=leg.pk)
    if written_off or (leg.state != LegState.ENDED and call.end_reason):
        enqueue("calls.hang_up_leg", leg.pk)


def _is_ours(leg: Leg, carrier_call_id: str) -> bool:
    """Whether the news is of this leg's call; the first that bears the leg's token names the call."""
    if leg.carrier_call_id == carrier_call_id:
        return True
    if leg.carrier_call_id is not None:
        log.error("carrier_call_differs", leg_id=leg.pk, told=carrier_call_id, known=leg.carrier_call_id)
        return False
    # A guess by numbers may have given this call to another leg; the token in the URL is proof, and wins.
    others = dict(Leg.objects.filter(carrier=leg.carrier, carrier_call_id=carrier_call_id).values_list("pk", "state"))
    if any(state != LegState.QUEUED for state in others.values()):
        log.error("carrier_call_taken", leg_id=leg.pk, told=carrier_call_id)
        return False
    if others:
        Leg.objects.filter(pk__in=others, state=LegState.QUEUED).update(carrier_call_id=None, state=LegState.UNKNOWN)
    Leg.objects.filter(pk=leg.pk).update(carrier_call_id=carrier_call_id)
    leg.carrier_call_id = carrier_call_id
    return True


def _note_verdict(leg: Leg, answered_by: str, verdict: Verdict) -> None:
    """Keep the carrier's word; one that says less than what we have is left alone."""
    if not answered_by or (leg.answered_by and verdict in {Verdict.UNKNOWN, Verdict.NONE}):
        return
    Leg.objects.filter(pk=leg.pk).update(answered_by=answered_by[:24])
    leg.answered_by = answered_by[:24]


def _correct_outcome(call: Call, leg: Leg, verdict: Verdict) -> None:
    """A verdict that comes after the end: what counted as answered was a machine. Whoever stands above is told."""
    if leg.state != LegState.ENDED or leg.outcome != Outcome.ANSWERED:
        return
    outcome = outcome_of(LineStatus.COMPLETED, verdict)
    if outcome == Outcome.ANSWERED or not Leg.objects.filter(pk=leg.pk, outcome=Outcome.ANSWERED).update(
        outcome=outcome
    ):
        return
    leg.outcome = outcome
    is_calls = leg.party == Party.CUSTOMER and call.outcome == Outcome.ANSWERED
    if is_calls and Call.objects.filter(pk=call.pk, outcome=Outcome.ANSWERED).update(outcome=outcome):
        call.outcome = outcome
        tell(
            call.pk,
            EventKind.OUTCOME_CORRECTED,
            timezone.now(),
            leg_id=leg.pk,
            before=str(Outcome.ANSWERED),
            outcome=str(outcome),
        )
        send_after_commit(outcome_corrected, call_id=call.pk)


_HEARD = {AnswerVerdict.VOICEMAIL: Verdict.MACHINE, AnswerVerdict.HUMAN: Verdict.HUMAN}


def _verdict_of(leg: Leg, call: Call) -> Verdict:
    """What the conversation showed, else the carrier's word."""
    if leg.party == Party.CUSTOMER and call.answer_verdict in _HEARD:
        return _HEARD[AnswerVerdict(call.answer_verdict)]
    for verdict in (Verdict.MACHINE, Verdict.HUMAN, Verdict.FAX):
        if leg.answered_by.startswith(verdict):
            return verdict
    return Verdict.UNKNOWN if leg.answered_by else Verdict.NONE
