"""States of a campaign, of a contact in it, and of a dial attempt; pure."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class CampaignState(models.TextChoices):
    DRAFT = "draft", _("draft")
    RUNNING = "running", _("running")
    PAUSED = "paused", _("paused")
    STOPPED = "stopped", _("stopped")
    COMPLETED = "completed", _("completed")


class ContactState(models.TextChoices):
    PENDING = "pending", _("waiting")
    DIALLING = "dialling", _("being called")
    RETRY = "retry", _("will be tried again")
    CALLBACK = "callback", _("callback agreed")
    DONE = "done", _("done")
    BLOCKED = "blocked", _("must not be called")


class AttemptState(models.TextChoices):
    CLAIMED = "claimed", _("claimed")
    SETTLED = "settled", _("settled")


class HistoryKind(models.TextChoices):
    """What happened to a campaign: the lines of its history."""

    STARTED = "started", _("started")
    PAUSED = "paused", _("paused")
    RESUMED = "resumed", _("resumed")
    STOPPED = "stopped", _("stopped")
    COMPLETED = "completed", _("completed: nobody left to call")
    REOPENED = "reopened", _("reopened: an agreed callback is due")


# What a person may do to a campaign, and from where.
START_FROM = [CampaignState.DRAFT, CampaignState.STOPPED, CampaignState.COMPLETED]
PAUSE_FROM = [CampaignState.RUNNING]
RESUME_FROM = [CampaignState.PAUSED]
STOP_FROM = [CampaignState.RUNNING, CampaignState.PAUSED]
# Contacts that a running campaign may still dial.
DIALLABLE = [ContactState.PENDING, ContactState.RETRY, ContactState.CALLBACK]
