"""What was said."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.calls.models.call import Call


class Speaker(models.TextChoices):
    CALLER = "caller", _("caller")
    AI = "ai", _("AI")
    AGENT = "agent", _("agent")
    SYSTEM = "system", _("announcement")


class Turn(models.Model):
    """One utterance. Times are milliseconds since the call's audio began; item_id is the voice AI's name for it."""

    call = models.ForeignKey(Call, on_delete=models.CASCADE, related_name="turns")
    speaker = models.CharField(_("speaker"), max_length=8, choices=Speaker.choices)
    text = models.TextField(_("text"))
    language = models.CharField(_("language"), max_length=8, blank=True)
    item_id = models.CharField(max_length=80)
    started_ms = models.PositiveIntegerField(_("from (ms)"))
    ended_ms = models.PositiveIntegerField(_("to (ms)"))
    was_interrupted = models.BooleanField(_("interrupted"), default=False)
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("turn")
        verbose_name_plural = _("turns")
        ordering = ["started_ms", "pk"]
        constraints = [models.UniqueConstraint(name="turn_item_once", fields=["call", "item_id"])]

    def __str__(self) -> str:
        return f"{self.get_speaker_display()} @{self.started_ms}"
