"""The story of a call, one line per thing that happened."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.calls.models.call import Call
from apps.calls.models.leg import Leg


class CallEvent(models.Model):
    """kind: a stable code (see apps.calls.events). key: what makes a carrier's repeat recognisable; unique if set."""

    call = models.ForeignKey(Call, on_delete=models.CASCADE, related_name="events")
    leg = models.ForeignKey(Leg, on_delete=models.CASCADE, null=True, blank=True, related_name="events")
    kind = models.CharField(_("kind"), max_length=40)
    data = models.JSONField(_("data"), default=dict, blank=True)
    key = models.CharField(max_length=120, blank=True)
    at = models.DateTimeField(_("at"), default=timezone.now)

    class Meta:
        verbose_name = _("call event")
        verbose_name_plural = _("call events")
        ordering = ["at", "pk"]
        indexes = [
            models.Index(fields=["call", "at"]),
            # Messaging looks for texts that were asked for, among all that ever happened.
            models.Index(name="call_event_texts", fields=["at"], condition=Q(kind="text_requested")),
        ]
        constraints = [models.UniqueConstraint(name="call_event_key_once", fields=["key"], condition=~Q(key=""))]

    def __str__(self) -> str:
        return self.kind
