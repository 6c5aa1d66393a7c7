"""The campaigns' clockwork; each task wakes one service."""

from celery import shared_task
from django.utils import timezone

from apps.campaigns import attempts, dialler, services
from apps.campaigns.events import publish_card_if_changed
from apps.campaigns.models import Campaign
from apps.campaigns.states import CampaignState
from apps.core.queue import enqueue


@shared_task(name="campaigns.run_dial_cycles")
def run_dial_cycles() -> None:
    """Wake one cycle per running campaign, so that a slow one holds up no other."""
    services.reopen_for_callbacks(now=timezone.now())
    for campaign_id in Campaign.objects.filter(state=CampaignState.RUNNING).values_list("pk", flat=True):
        enqueue("campaigns.run_dial_cycle", campaign_id, expires_s=5)


@shared_task(name="campaigns.run_dial_cycle")
def run_dial_cycle(campaign_id: int) -> None:
    now = timezone.now()
    if dialler.run_cycle(campaign_id, now=now) is None:
        return
    if not services.complete_if_done(campaign_id=campaign_id, now=now):
        publish_card_if_changed(Campaign.objects.get(pk=campaign_id))


@shared_task(name="campaigns.settle_overdue_attempts")
def settle_overdue_attempts() -> None:
    attempts.settle_overdue(now=timezone.now())
