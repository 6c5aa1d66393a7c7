"""What a campaign may refuse."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.core.errors import DomainError


class CampaignRefused(DomainError):
    """The step is not possible now; ``code`` is one of _WORDS."""

    status = 409

    def __init__(self, code: str, **facts: str) -> None:
        """facts: what the words have places for."""
        super().__init__(_WORDS[code] % facts if facts else _WORDS[code])
        self.code = code


_WORDS: dict[str, Promise] = {
    "campaign_cannot_start": _("A paused campaign is resumed, not started."),
    "campaign_cannot_pause": _("Only a running campaign can be paused."),
    "campaign_cannot_resume": _("Only a paused campaign can be resumed."),
    "campaign_cannot_stop": _("A campaign that was never started cannot be stopped."),
    "campaign_without_numbers": _("The campaign has no caller number in use. Add one first."),
    "campaign_without_people": _("The contact list is empty. Import contacts first."),
    "campaign_without_voice": _(
        "The virtual agent has no voice for %(languages)s. Give it a second voice, or another voice AI to take over."
    ),
    "virtual_agent_not_in_use": _("The virtual agent is not in use. Choose another one or put it back in use."),
}
