"""What open pages are told about campaigns: the counters, not more often than they can be counted cheaply."""

import time

from django.core.cache import cache

from apps.campaigns.models import Campaign
from apps.campaigns.selectors import CampaignCard, campaign_card
from apps.core.realtime import publish

LIVE_GROUP = "live"
# Counting a campaign may take this share of one worker's time, whatever its size.
_SHARE = 0.05


def publish_card(campaign_id: int) -> None:
    """Publish the card after commit, always: after what a person did, and at the end."""
    campaign = Campaign.objects.filter(pk=campaign_id).first()
    if campaign is not None:
        _publish(campaign)


def publish_card_if_changed(campaign: Campaign) -> None:
    """Publish the card if it differs from the one published last; rarely where counting takes long."""
    if not cache.add(f"campaigns:counted:{campaign.pk}", 1, timeout=3600):
        return
    started = time.monotonic()
    card = campaign_card(campaign)
    # Set again with what it took: the next count may begin when this one has become cheap.
    pause_s = (time.monotonic() - started) / _SHARE
    cache.set(f"campaigns:counted:{campaign.pk}", 1, timeout=max(1, round(pause_s)))
    if cache.get(f"campaigns:card:{campaign.pk}") != card:
        _remember_and_send(card)


def _publish(campaign: Campaign) -> None:
    _remember_and_send(campaign_card(campaign))


def _remember_and_send(card: CampaignCard) -> None:
    cache.set(f"campaigns:card:{card['id']}", card, timeout=3600)
    publish(LIVE_GROUP, "campaign", dict(card))
