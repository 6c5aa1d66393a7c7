"""What a call sounded like: one recording of ours, put together from its streams, and what a carrier recorded."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.calls.models.call import Call
from apps.calls.models.leg import Leg


class RecordingSource(models.TextChoices):
    BRIDGE = "bridge", _("ours")
    CARRIER = "carrier", _("the carrier's")


class RecordingState(models.TextChoices):
    RECORDING = "recording", _("being recorded")
    READY = "ready", _("ready")
    FAILED = "failed", _("failed")
    ERASED = "erased", _("erased")


class ErasedWhy(models.TextChoices):
    REFUSED = "refused", _("the person did not want to be recorded")
    RETENTION = "retention", _("kept long enough")
    REQUEST = "request", _("erased on request")


class Wish(models.TextChoices):
    """What a carrier is to do about its recording."""

    RECORD = "record", _("record")
    PAUSE = "pause", _("pause")
    STOP = "stop", _("stop")


class RecordingQuerySet(models.QuerySet["Recording"]):
    def ready(self) -> "RecordingQuerySet":
        return self.filter(state=RecordingState.READY)


class Recording(models.Model):
    """name: in the storage ``recordings``. paused: [from ms, to ms, reason]. reference: the carrier's own id.

    peaks: for each channel the loudness of equal shares of time, 0–255. started_at: when the call's clock stood at 0,
    so that the ms of turns and pauses are those of the recording.

    Of a carrier's: wanted and commanded say what it is to do and what it was last told, a Wish or ""; busy_until: a
    worker is telling it.
    """

    call = models.ForeignKey(Call, on_delete=models.CASCADE, related_name="recordings", verbose_name=_("call"))
    source = models.CharField(_("source"), max_length=8, choices=RecordingSource.choices)
    state = models.CharField(
        _("state"), max_length=10, choices=RecordingState.choices, default=RecordingState.RECORDING
    )
    reference = models.CharField(max_length=120, blank=True, editable=False)
    name = models.CharField(max_length=200, blank=True, editable=False)
    content_type = models.CharField(_("format"), max_length=40, default="audio/wav")
    channels = models.PositiveSmallIntegerField(_("channels"), default=2)
    duration_ms = models.PositiveIntegerField(_("length (ms)"), default=0)
    size = models.PositiveBigIntegerField(_("size (bytes)"), default=0)
    sha256 = models.CharField(max_length=64, blank=True, editable=False)
    paused = models.JSONField(_("not recorded"), default=list, blank=True)
    peaks = models.JSONField(default=list, blank=True, editable=False)
    started_at = models.DateTimeField(_("started at"), default=timezone.now)
    deleted_at = models.DateTimeField(_("erased at"), null=True, blank=True)
    wanted = models.CharField(max_length=6, choices=Wish.choices, blank=True, editable=False)
    wanted_why = models.CharField(max_length=40, blank=True, editable=False)
    commanded = models.CharField(max_length=6, choices=Wish.choices, blank=True, editable=False)
    busy_until = models.DateTimeField(null=True, blank=True, editable=False)
    erased_why = models.CharField(_("erased because"), max_length=12, choices=ErasedWhy.choices, blank=True)

    objects = RecordingQuerySet.as_manager()

    class Meta:
        verbose_name = _("recording")
        verbose_name_plural = _("recordings")
        ordering = ["-started_at"]
        indexes = [models.Index(name="recording_by_age", fields=["started_at"], condition=Q(state="ready"))]
        constraints = [
            models.UniqueConstraint(name="recording_one_of_ours", fields=["call"], condition=Q(source="bridge")),
            models.UniqueConstraint(
                name="recording_one_at_the_carrier", fields=["call"], condition=Q(source="carrier", state="recording")
            ),
            models.UniqueConstraint(name="recording_reference_once", fields=["reference"], condition=~Q(reference="")),
            models.CheckConstraint(name="recording_ready_has_file", condition=~Q(state="ready") | ~Q(name="")),
            models.CheckConstraint(
                name="recording_erased_has_time",
                condition=Q(state="erased", deleted_at__isnull=False, name="", sha256="")
                | (~Q(state="erased") & Q(deleted_at__isnull=True)),
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.call_id} {self.get_source_display()}"

    @property
    def is_ready(self) -> bool:
        return self.state == RecordingState.READY

    @property
    def duration_s(self) -> float:
        return self.duration_ms / 1000


class PartState(models.TextChoices):
    OPEN = "open", _("being recorded")
    STORED = "stored", _("stored")
    MERGED = "merged", _("part of the recording")
    LOST = "lost", _("lost")


class RecordingPart(models.Model):
    """What one media stream of the call contributes. offset_ms: where on the call's clock it begins.

    Usually there is one. A call whose stream broke has several, perhaps from several machines.
    """

    recording = models.ForeignKey(Recording, on_delete=models.CASCADE, related_name="parts")
    leg = models.ForeignKey(Leg, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    stream = models.CharField(max_length=32, unique=True)
    state = models.CharField(_("state"), max_length=6, choices=PartState.choices, default=PartState.OPEN)
    offset_ms = models.PositiveIntegerField(default=0)
    name = models.CharField(max_length=200, blank=True)
    duration_ms = models.PositiveIntegerField(default=0)
    paused = models.JSONField(default=list, blank=True)

    objects: ClassVar[models.Manager["RecordingPart"]] = models.Manager()

    class Meta:
        verbose_name = _("part of a recording")
        verbose_name_plural = _("parts of recordings")
        ordering = ["offset_ms", "pk"]

    def __str__(self) -> str:
        return f"{self.recording_id} @{self.offset_ms}"
