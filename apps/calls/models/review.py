"""What a language model makes of a call once it is over: summary, fields, the customer's mood, marks for quality."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.calls.models.call import Call


class ReviewState(models.TextChoices):
    WAITING = "waiting", _("to be reviewed")
    DONE = "done", _("reviewed")
    FAILED = "failed", _("could not be reviewed")


class Sentiment(models.TextChoices):
    """Of what the customer said, as text; never of how anybody sounds, and never of our own people."""

    POSITIVE = "positive", _("positive")
    NEUTRAL = "neutral", _("neutral")
    NEGATIVE = "negative", _("negative")


class CallReview(models.Model):
    """Work to be done is a row: ``due_at`` says when it is tried (again).

    fields: name → value as the virtual agent's schema wants them. qa: the checklist's answers, each
    {"question", "is_met", "why"}. qa_score: share of the checklist that was met, 0–1, None without a checklist.
    """

    call = models.OneToOneField(Call, on_delete=models.CASCADE, related_name="review", verbose_name=_("call"))
    state = models.CharField(_("state"), max_length=8, choices=ReviewState.choices, default=ReviewState.WAITING)
    summary = models.TextField(_("summary"), blank=True)
    fields = models.JSONField(_("extracted fields"), default=dict, blank=True)
    sentiment = models.CharField(_("customer's sentiment"), max_length=8, choices=Sentiment.choices, blank=True)
    qa = models.JSONField(_("checklist"), default=list, blank=True)
    qa_score = models.FloatField(_("quality"), null=True, blank=True)
    llm = models.CharField(_("language model"), max_length=80, blank=True)
    n_tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    error = models.CharField(_("error"), max_length=200, blank=True)
    due_at = models.DateTimeField(_("due at"), default=timezone.now)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    done_at = models.DateTimeField(_("done at"), null=True, blank=True)

    class Meta:
        verbose_name = _("review")
        verbose_name_plural = _("reviews")
        ordering = ["-created_at"]
        indexes = [models.Index(name="review_due", fields=["due_at"], condition=Q(state="waiting"))]
        constraints = [
            models.CheckConstraint(
                name="review_score_is_a_share", condition=Q(qa_score__isnull=True) | Q(qa_score__gte=0, qa_score__lte=1)
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_state_display()}: #{self.call_id}"

    @property
    def n_met(self) -> int:
        """How many questions of the checklist are met."""
        return sum(bool(item.get("is_met")) for item in self.qa)
