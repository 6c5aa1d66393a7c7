"""What is made of a virtual agent's calls once they are over."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class ReviewPolicy(models.Model):
    """What is made of a virtual agent's calls afterwards."""

    review_llm = models.CharField(
        _("reviewed by"),
        max_length=80,
        blank=True,
        help_text=_("The language model that sums calls up, for example openai:gpt-6-luna. Empty: none."),
    )
    extracted_fields = models.JSONField(
        _("fields to extract"),
        default=dict,
        blank=True,
        help_text=_('A JSON schema of what to look for, for example {"budget": {"type": "number"}}.'),
    )
    qa_checklist = models.TextField(
        _("checklist"), blank=True, help_text=_("One question a line; each is answered with yes or no, and why.")
    )

    class Meta:
        abstract = True
