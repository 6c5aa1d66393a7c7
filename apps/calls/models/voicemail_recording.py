"""What is played to an answering machine instead of being spoken."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Language
from apps.calls.models.virtual_agent import VirtualAgent


class VoicemailRecording(models.Model):
    """A virtual agent's message after the beep in one language, as the line plays it.

    sha256: of the sound itself, 8 kHz mono μ-law. name: in the storage ``recordings``, the sound in a WAV file; equal
    sounds are one file. file_name: as it was uploaded.
    """

    virtual_agent = models.ForeignKey(VirtualAgent, on_delete=models.CASCADE, related_name="voicemail_recordings")
    language = models.CharField(_("language"), max_length=8, choices=Language.choices)
    name = models.CharField(max_length=120, editable=False)
    sha256 = models.CharField(max_length=64, editable=False)
    duration_ms = models.PositiveIntegerField(_("length (ms)"))
    file_name = models.CharField(_("file"), max_length=120, blank=True)
    uploaded_at = models.DateTimeField(_("uploaded at"), default=timezone.now)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    objects: ClassVar[models.Manager["VoicemailRecording"]] = models.Manager()

    class Meta:
        verbose_name = _("recorded voicemail message")
        verbose_name_plural = _("recorded voicemail messages")
        ordering = ["virtual_agent", "language"]
        constraints = [
            models.UniqueConstraint(name="voicemail_recording_one", fields=["virtual_agent", "language"]),
        ]

    def __str__(self) -> str:
        return f"{self.virtual_agent_id} {self.language}"

    @property
    def duration_s(self) -> float:
        return self.duration_ms / 1000
