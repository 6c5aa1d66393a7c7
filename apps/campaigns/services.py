"""What a person may do to a campaign, and what it does by itself when the work is done.

Each step looks at the state under the campaign's lock, so that two people pressing at once, or one pressing twice, do
it once; whoever did it stands in the campaign's history.
"""

from datetime import datetime, timedelta

import structlog
from django.db import connection, transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.calls.models import EndReason
from apps.calls.services.ending import request_end
from apps.calls.states import LegState
from apps.campaigns import selectors
from apps.campaigns.errors import CampaignRefused
from apps.campaigns.events import publish_card
from apps.campaigns.models import Campaign, CampaignContact, CampaignEvent, DialAttempt
from apps.campaigns.states import (
    PAUSE_FROM,
    RESUME_FROM,
    START_FROM,
    STOP_FROM,
    AttemptState,
    CampaignState,
    ContactState,
    HistoryKind,
)
from apps.core.queue import enqueue

log = structlog.get_logger(__name__)

# A callback that is further off than this does not keep a campaign open: it opens again when the time comes.
_WAIT_FOR_CALLBACK = timedelta(hours=1)


@transaction.atomic
def start(*, campaign_id: int, by: User | None) -> Campaign:
    """Start a campaign, or start it again: new people of its list join, blocked ones are looked at again.

    Who is done stays done. Starting a running campaign changes nothing. Raises CampaignRefused.
    """
    campaign = _locked(campaign_id)
    if campaign.state == CampaignState.RUNNING:
        return campaign
    if campaign.state not in START_FROM:
        raise CampaignRefused("campaign_cannot_start")
    if not campaign.virtual_agent.is_active:
        raise CampaignRefused("virtual_agent_not_in_use")
    if not campaign.numbers.filter(is_active=True).exists():
        raise CampaignRefused("campaign_without_numbers")
    if missing := selectors.voices_missing(campaign):
        raise CampaignRefused("campaign_without_voice", languages=missing)
    now = timezone.now()
    n_joined = _take_in_people(campaign, now)
    if not CampaignContact.objects.filter(campaign=campaign).exists():
        raise CampaignRefused("campaign_without_people")
    n_unblocked = CampaignContact.objects.filter(campaign=campaign, state=ContactState.BLOCKED).update(
        state=ContactState.PENDING, reason="", settled_at=None, next_attempt_at=now
    )
    _move(campaign, CampaignState.RUNNING, HistoryKind.STARTED, by, now, n_joined=n_joined, n_unblocked=n_unblocked)
    return campaign


@transaction.atomic
def pause(*, campaign_id: int, by: User | None) -> Campaign:
    """Dial nobody new; running calls go on. Calls the carrier was not asked for yet are taken back.

    Pausing a paused campaign changes nothing. Raises CampaignRefused.
    """
    campaign = _locked(campaign_id)
    if campaign.state == CampaignState.PAUSED:
        return campaign
    if campaign.state not in PAUSE_FROM:
        raise CampaignRefused("campaign_cannot_pause")
    _move(campaign, CampaignState.PAUSED, HistoryKind.PAUSED, by, timezone.now())
    _withdraw_undialled(campaign, by)
    return campaign


@transaction.atomic
def resume(*, campaign_id: int, by: User | None) -> Campaign:
    """Go on where the pause began. Resuming a running campaign changes nothing. Raises CampaignRefused."""
    campaign = _locked(campaign_id)
    if campaign.state == CampaignState.RUNNING:
        return campaign
    if campaign.state not in RESUME_FROM:
        raise CampaignRefused("campaign_cannot_resume")
    _move(campaign, CampaignState.RUNNING, HistoryKind.RESUMED, by, timezone.now())
    return campaign


@transaction.atomic
def stop(*, campaign_id: int, by: User | None) -> Campaign:
    """Dial nobody new, also no agreed callback; running calls finish. It can be started again, and goes on then.

    Stopping a stopped or completed campaign changes nothing. Raises CampaignRefused.
    """
    campaign = _locked(campaign_id)
    if campaign.state in {CampaignState.STOPPED, CampaignState.COMPLETED}:
        return campaign
    if campaign.state not in STOP_FROM:
        raise CampaignRefused("campaign_cannot_stop")
    _move(campaign, CampaignState.STOPPED, HistoryKind.STOPPED, by, timezone.now())
    _withdraw_undialled(campaign, by)
    return campaign


@transaction.atomic
def complete_if_done(*, campaign_id: int, now: datetime) -> bool:
    """Complete a running campaign with nobody left to call soon; whether it was."""
    people = CampaignContact.objects.filter(campaign=campaign_id)
    open_states = [ContactState.PENDING, ContactState.RETRY, ContactState.DIALLING]
    if people.filter(state__in=open_states).exists():
        return False
    if people.filter(state=ContactState.CALLBACK, next_attempt_at__lte=now + _WAIT_FOR_CALLBACK).exists():
        return False
    campaign = Campaign.objects.select_for_update(no_key=True).filter(pk=campaign_id).first()
    if campaign is None or campaign.state != CampaignState.RUNNING:
        return False
    _move(campaign, CampaignState.COMPLETED, HistoryKind.COMPLETED, None, now)
    return True


@transaction.atomic
def reopen_for_callbacks(*, now: datetime) -> int:
    """Set completed campaigns running again whose agreed callbacks are due; how many."""
    due = Campaign.objects.filter(
        state=CampaignState.COMPLETED, people__state=ContactState.CALLBACK, people__next_attempt_at__lte=now
    )
    n = 0
    for campaign_id in due.values_list("pk", flat=True).distinct():
        campaign = _locked(campaign_id)
        if campaign.state == CampaignState.COMPLETED:
            _move(campaign, CampaignState.RUNNING, HistoryKind.REOPENED, None, now)
            n += 1
    return n


def _locked(campaign_id: int) -> Campaign:
    """The campaign, held against a dial cycle and other steps until commit; attempts may still be written."""
    return (
        Campaign.objects.select_for_update(no_key=True, of=("self",))
        .select_related("virtual_agent")
        .get(pk=campaign_id)
    )


def _move(
    campaign: Campaign, state: CampaignState, kind: HistoryKind, by: User | None, now: datetime, **facts: int
) -> None:
    campaign.state = state
    campaign.state_changed_at = now
    campaign.state_changed_by = by
    if state == CampaignState.RUNNING:
        campaign.started_at = campaign.started_at or now
        campaign.completed_at = None
    elif state == CampaignState.COMPLETED:
        campaign.completed_at = now
    campaign.save(update_fields=["state", "state_changed_at", "state_changed_by", "started_at", "completed_at"])
    CampaignEvent.objects.create(campaign=campaign, kind=kind, by=by, at=now, data=facts)
    publish_card(campaign.pk)
    if state == CampaignState.RUNNING:
        enqueue("campaigns.run_dial_cycle", campaign.pk, expires_s=5)
    log.info("campaign_moved", campaign_id=campaign.pk, kind=str(kind), by=by.pk if by is not None else None, **facts)


def _take_in_people(campaign: Campaign, now: datetime) -> int:
    """Everybody of the contact list who is not in the campaign yet; one statement, however long the list."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO campaigns_campaigncontact
                (campaign_id, contact_id, state, reason, outcome, n_attempts, next_attempt_at)
            SELECT %s, id, %s, '', '', 0, %s FROM contacts_contact WHERE contact_list_id = %s ORDER BY id
            ON CONFLICT (campaign_id, contact_id) DO NOTHING
            """,
            [campaign.pk, ContactState.PENDING, now, campaign.contact_list_id],
        )
        return int(cursor.rowcount)


def _withdraw_undialled(campaign: Campaign, by: User | None) -> None:
    """Take back the calls that wait for their turn: their people return to the line with no attempt lost."""
    waiting = DialAttempt.objects.filter(
        campaign=campaign,
        state=AttemptState.CLAIMED,
        call__legs__state__in=[LegState.CREATED, LegState.REQUESTED],
        call__legs__requested_at__isnull=True,  # set when the carrier is asked: from then on the call is under way
    ).values_list("call_id", flat=True)
    for call_id in list(waiting):
        request_end(call_id, reason=EndReason.NOT_PLACED, by=by)
