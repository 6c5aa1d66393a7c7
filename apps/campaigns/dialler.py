"""One dial cycle of one campaign: snapshot → pacing → claim people → place calls → attempts, in one transaction.

The claim is a row: a person's attempt and its call are committed together, or neither is. What a crash leaves behind is
found by ``attempts.settle_overdue``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import connection, transaction
from django.db.models import Count, F, Max, Q

from apps.calls.carrier_accounts import accounts, limits_of, pace_of
from apps.calls.models import Call, Leg
from apps.calls.services.placing import CallBrief, CallRequest, place_calls
from apps.calls.states import LegState
from apps.campaigns import pacing, reasons, windows
from apps.campaigns.models import Campaign, CampaignContact, DialAttempt
from apps.campaigns.number_pool import NumberPool
from apps.campaigns.states import AttemptState, CampaignState, ContactState
from apps.contacts.consent import NotCallable, Verdict, check_many, legal_hours, zones_for
from apps.contacts.hours import OpeningHours
from apps.contacts.models import Channel
from apps.core.db import claim

log = structlog.get_logger(__name__)

# Who goes first: those with an appointment, then those whose second try has come, then everybody else.
_ORDER = (ContactState.CALLBACK, ContactState.RETRY, ContactState.PENDING)
# People looked at in one cycle; those who may not be called now are put off, so the next cycle finds others.
_MOST_LOOKED_AT = 1000
_SMALLEST_BATCH = 20
# A leg waits for its turn in either state; from requested_at on, the carrier is being asked.
_NOT_YET_ASKED = Q(call__legs__state__in=[LegState.CREATED, LegState.REQUESTED], call__legs__requested_at__isnull=True)
_OVER = {ContactState.DONE, ContactState.BLOCKED}
_SAME_NUMBER_AGAIN = timedelta(seconds=20)
# Where the law or the windows open within no sensible time, look again after this long.
_LOOK_AGAIN = timedelta(days=1)
# Namespace of the advisory locks on phone numbers, so that they meet no other lock of the product.
_PHONE_LOCKS = 0x63616C6C
_ACCOUNT_LOCKS = 0x63616C6D


@dataclass(slots=True)
class Cycle:
    """What a cycle did. n_placed: calls created; n_put_off: people who may not be called now; n_blocked: nor later."""

    n_placed: int = 0
    n_put_off: int = 0
    n_blocked: int = 0


@dataclass(slots=True)
class _Setting:
    """What is the same for every call of one cycle."""

    campaign: Campaign
    now: datetime
    brief: CallBrief
    pool: NumberPool
    window: OpeningHours | None


@transaction.atomic
def run_cycle(campaign_id: int, *, now: datetime) -> Cycle | None:
    """Claim and place as many calls as pace and free lines allow. None: not running, or a cycle of it runs elsewhere.

    now: aware. The calls are dialled by workers after commit; two cycles of a campaign never run at once.
    """
    campaign = (
        Campaign.objects.select_for_update(skip_locked=True, no_key=True, of=("self",))
        .select_related("virtual_agent")
        .filter(pk=campaign_id, state=CampaignState.RUNNING)
        .first()
    )
    if campaign is None:
        return None
    cycle = Cycle()
    pool = _pool(campaign, now)
    if not pool.numbers:
        log.warning("dial_cycle_without_number", campaign_id=campaign.pk)
        return cycle
    n = _n_to_claim(campaign, pool, now)
    if n == 0:
        return cycle
    setting = _setting(campaign, pool, now)
    n_looked_at = 0
    while cycle.n_placed < n and n_looked_at < _MOST_LOOKED_AT:
        wanted = n - cycle.n_placed
        people = _claim(campaign, max(wanted, _SMALLEST_BATCH), now)
        n_looked_at += len(people)
        _work_through(setting, people, wanted, cycle)
        if len(people) < max(wanted, _SMALLEST_BATCH):
            break
    if cycle.n_placed or cycle.n_blocked:
        log.info(
            "dial_cycle_ran",
            campaign_id=campaign.pk,
            n_placed=cycle.n_placed,
            n_put_off=cycle.n_put_off,
            n_blocked=cycle.n_blocked,
        )
    return cycle


def _n_to_claim(campaign: Campaign, pool: NumberPool, now: datetime) -> int:
    if pool.n_free == 0:
        log.warning("dial_cycle_waits", campaign_id=campaign.pk, **pool.troubles)
        return 0
    # What waits for a carrier that does not answer keeps nobody from the others.
    answering = _NOT_YET_ASKED & ~Q(call__legs__carrier__in=list(pool.troubles))
    live = DialAttempt.objects.filter(campaign=campaign, state=AttemptState.CLAIMED).aggregate(
        n=Count("pk", distinct=True),
        n_waiting=Count("pk", distinct=True, filter=answering),
        last=Max("claimed_at"),
    )
    rate = float(campaign.calls_per_second)
    granted = pace_of({number.carrier for number in pool.numbers} - pool.troubles.keys())
    if granted:
        rate = min(rate, granted)
    last = live["last"]
    if last is None and rate * pacing.HORIZON_S < 1:
        last = (
            DialAttempt.objects.filter(campaign=campaign).order_by("-pk").values_list("claimed_at", flat=True).first()
        )
    n = pacing.n_to_claim(
        max_concurrent=campaign.max_concurrent,
        n_live=live["n"],
        calls_per_second=rate,
        n_waiting=live["n_waiting"],
        since_last_claim_s=(now - last).total_seconds() if last is not None else None,
    )
    return n if pool.n_free is None else min(n, pool.n_free)


def _pool(campaign: Campaign, now: datetime) -> NumberPool:
    """The campaign's numbers, with how their carriers stand.

    An account with a limit is one campaign's at a time: what others place meanwhile would not be counted.
    """
    numbers = list(campaign.numbers.filter(is_active=True).order_by("pk"))
    carriers = {number.carrier for number in numbers}
    for carrier in sorted(carriers):
        if limits_of(carrier).max_concurrent:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_ACCOUNT_LOCKS, carrier])
    standing = accounts(carriers, now=now) if carriers else {}
    waiting: dict[str, int] = {}
    if any(account.trouble for account in standing.values()):
        legs = Leg.objects.filter(state__in=[LegState.CREATED, LegState.REQUESTED], carrier__in=carriers)
        waiting = dict(legs.order_by().values_list("carrier").annotate(n=Count("pk")))
    last_used = (
        DialAttempt.objects.filter(campaign=campaign).order_by("-pk").values_list("call__number_id", flat=True).first()
    )
    return NumberPool(numbers, last_used, standing, waiting)


def _setting(campaign: Campaign, pool: NumberPool, now: datetime) -> _Setting:
    return _Setting(
        campaign=campaign,
        now=now,
        brief=CallBrief(
            campaign_id=campaign.pk,
            campaign_name=campaign.name,
            pace_key=f"campaign:{campaign.pk}",
            calls_per_second=float(campaign.calls_per_second),
            ring_timeout_s=campaign.ring_timeout_s,
            is_recorded=campaign.is_recorded,
        ),
        pool=pool,
        window=windows.as_hours(campaign.windows.values_list("weekday", "starts_at", "ends_at")),
    )


def _claim(campaign: Campaign, n: int, now: datetime) -> list[CampaignContact]:
    people: list[CampaignContact] = []
    for state in _ORDER:
        if len(people) == n:
            break
        due = CampaignContact.objects.filter(campaign=campaign, state=state, next_attempt_at__lte=now)
        people += claim(due.select_related("contact").order_by("next_attempt_at"), n - len(people))
    return people


def _work_through(setting: _Setting, people: Sequence[CampaignContact], wanted: int, cycle: Cycle) -> None:
    """Put off or block whom we may not call now, place calls to at most ``wanted`` of the others, write both down."""
    left_out: list[CampaignContact] = []
    callable_now: list[CampaignContact] = []
    free = _lock_phones([person.contact.phone for person in people])
    verdicts = check_many([person.contact for person in people], channel=Channel.VOICE, at=setting.now, is_ai=True)
    for person in people:
        verdict = verdicts[person.contact_id]
        if person.contact.phone not in free:
            left_out.append(_put_off(person, reasons.ALREADY_IN_CALL, setting.now + _SAME_NUMBER_AGAIN))
        elif not verdict.allowed:
            left_out.append(_refused(person, verdict, setting.now))
        elif (opens := _window_opens(setting, person)) is not None:
            left_out.append(_put_off(person, reasons.OUTSIDE_WINDOW, opens))
        else:
            callable_now.append(person)
        free.discard(person.contact.phone)
    placed: list[tuple[CampaignContact, Call]] = []
    chosen = callable_now[:wanted]
    for person, result in zip(chosen, _place(setting, chosen), strict=False):  # the rest finds no free carrier
        if isinstance(result, Call):
            placed.append((person, result))
        else:
            left_out.append(_refused(person, result.verdict, setting.now))
    n_blocked = sum(person.state in _OVER for person in left_out)
    cycle.n_blocked += n_blocked
    cycle.n_put_off += len(left_out) - n_blocked
    cycle.n_placed += len(placed)
    _write(setting, left_out, placed)


def _window_opens(setting: _Setting, person: CampaignContact) -> datetime | None:
    """When the campaign's window, and the law with it, open for this person; None if they are open."""
    zones = zones_for(person.contact)
    if windows.is_within(setting.window, zones, setting.now):
        return None
    legal = legal_hours(person.contact, channel=Channel.VOICE) or []
    return windows.next_moment(setting.window, legal, zones, setting.now) or setting.now + _LOOK_AGAIN


def _lock_phones(phones: Sequence[str]) -> set[str]:
    """Of these numbers, those in no live call, locked until commit: two campaigns may hold the same person.

    The lock comes first and the look at live calls second, so that a call committed in between is seen.
    """
    if not phones:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT p FROM unnest(%s::text[]) AS p WHERE pg_try_advisory_xact_lock(%s, hashtext(p))",
            [sorted(set(phones)), _PHONE_LOCKS],
        )
        locked = {row[0] for row in cursor.fetchall()}
    return locked - set(Call.objects.live().filter(remote_phone__in=locked).values_list("remote_phone", flat=True))


def _place(setting: _Setting, people: Sequence[CampaignContact]) -> list[Call | NotCallable]:
    if not people:
        return []
    requests = []
    for person in people:
        number = setting.pool.take()
        if number is None:
            break
        requests.append(
            CallRequest(
                contact=person.contact,
                number=number,
                virtual_agent=setting.campaign.virtual_agent,
                brief=setting.brief,
            )
        )
    results = place_calls(requests, now=setting.now)
    for request, result in zip(requests, results, strict=True):
        if not isinstance(result, Call):
            setting.pool.give_back(request.number)
    return results


def _put_off(person: CampaignContact, reason: str, until: datetime) -> CampaignContact:
    person.reason = reason
    person.next_attempt_at = until
    return person


def _refused(person: CampaignContact, verdict: Verdict, now: datetime) -> CampaignContact:
    """Later, if only the hour is wrong; else blocked. Whom we have talked to before keeps the outcome and is done."""
    if verdict.next_allowed_at is not None:
        return _put_off(person, verdict.reason, verdict.next_allowed_at)
    if verdict.reason == reasons.OUTSIDE_HOURS:
        return _put_off(person, verdict.reason, now + _LOOK_AGAIN)
    person.state = ContactState.DONE if person.outcome else ContactState.BLOCKED
    person.reason = verdict.reason
    person.settled_at = now
    return person


def _write(
    setting: _Setting, left_out: Sequence[CampaignContact], placed: Sequence[tuple[CampaignContact, Call]]
) -> None:
    if left_out:
        CampaignContact.objects.bulk_update(left_out, ["state", "reason", "next_attempt_at", "settled_at"])
    if not placed:
        return
    ids = [person.pk for person, _ in placed]
    made = dict(
        DialAttempt.objects.filter(campaign_contact__in=ids)
        .order_by()
        .values_list("campaign_contact")
        .annotate(n=Max("n"))
    )
    DialAttempt.objects.bulk_create(
        [
            DialAttempt(
                campaign_contact=person,
                campaign=setting.campaign,
                n=made.get(person.pk, 0) + 1,
                call=call,
                claimed_at=setting.now,
            )
            for person, call in placed
        ]
    )
    CampaignContact.objects.filter(pk__in=ids).update(
        state=ContactState.DIALLING, reason="", n_attempts=F("n_attempts") + 1
    )
