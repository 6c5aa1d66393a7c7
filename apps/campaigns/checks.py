"""What would keep campaigns from being understood, found before they start."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Tags, Warning, register
from django.db import DatabaseError, connections, transaction

from apps.calls.voices import missing_voices
from apps.campaigns import selectors
from apps.campaigns.models import Campaign
from apps.campaigns.states import CampaignState


@register(Tags.database)
def check_voices(app_configs: Any, databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Campaigns that need a language none of their virtual agent's voice AIs has a voice for.

    A database check: asked for by ``check --database default`` and before each migration, when there may be no tables.
    """
    if not databases or "default" not in databases or not _has_tables():
        return []
    try:
        with transaction.atomic():
            return [
                Warning(
                    f"No voice AI of “{campaign.virtual_agent}” speaks {', '.join(missing)}; campaign "
                    f"“{campaign}” has people who do.",
                    hint="Give the virtual agent a second voice, or another voice AI to take over.",
                    obj=campaign,
                    id="campaigns.W001",
                )
                for campaign in Campaign.objects.exclude(state=CampaignState.COMPLETED).select_related("virtual_agent")
                if (missing := missing_voices(campaign.virtual_agent, selectors.languages_of(campaign)))
            ]
    except DatabaseError:
        return []  # columns that the migration at hand is about to make


def _has_tables() -> bool:
    return Campaign._meta.db_table in connections["default"].introspection.table_names()
