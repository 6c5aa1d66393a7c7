"""Whom to call, when, and how fast."""

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.calls.models import Call, Number, VirtualAgent
from apps.calls.states import Outcome
from apps.campaigns.states import AttemptState, CampaignState, ContactState, HistoryKind
from apps.contacts.models import Contact, ContactList


class Campaign(models.Model):
    name = models.CharField(_("name"), max_length=120, unique=True)
    state = models.CharField(
        _("state"), max_length=10, choices=CampaignState.choices, default=CampaignState.DRAFT, editable=False
    )
    contact_list = models.ForeignKey(
        ContactList, on_delete=models.PROTECT, related_name="campaigns", verbose_name=_("contact list")
    )
    virtual_agent = models.ForeignKey(
        VirtualAgent, on_delete=models.PROTECT, related_name="campaigns", verbose_name=_("virtual agent")
    )
    numbers = models.ManyToManyField(
        Number, related_name="campaigns", verbose_name=_("caller numbers"), help_text=_("Used in turn as caller ID.")
    )
    max_concurrent = models.PositiveSmallIntegerField(
        _("calls at the same time"), default=10, validators=[MinValueValidator(1), MaxValueValidator(1000)]
    )
    calls_per_second = models.DecimalField(
        _("calls per second"),
        max_digits=6,
        decimal_places=2,
        default=1,
        validators=[MinValueValidator(0.01), MaxValueValidator(500)],
    )
    ring_timeout_s = models.PositiveSmallIntegerField(
        _("ring for (seconds)"), default=25, validators=[MinValueValidator(15), MaxValueValidator(120)]
    )
    is_recorded = models.BooleanField(
        _("record calls"), default=True, help_text=_("Off: not even if the virtual agent's calls are recorded.")
    )
    state_changed_at = models.DateTimeField(_("since"), default=timezone.now, editable=False)
    state_changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    started_at = models.DateTimeField(_("started at"), null=True, blank=True, editable=False)
    completed_at = models.DateTimeField(_("completed at"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("campaign")
        verbose_name_plural = _("campaigns")
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(name="campaign_concurrency_positive", condition=Q(max_concurrent__gte=1)),
            models.CheckConstraint(name="campaign_rate_positive", condition=Q(calls_per_second__gt=0)),
        ]

    def __str__(self) -> str:
        return self.name


class Weekday(models.IntegerChoices):
    MONDAY = 0, _("Monday")
    TUESDAY = 1, _("Tuesday")
    WEDNESDAY = 2, _("Wednesday")
    THURSDAY = 3, _("Thursday")
    FRIDAY = 4, _("Friday")
    SATURDAY = 5, _("Saturday")
    SUNDAY = 6, _("Sunday")


class CallingWindow(models.Model):
    """When a campaign dials, in the contact's local time. No window: whenever the rules of the country allow."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="windows")
    weekday = models.PositiveSmallIntegerField(_("weekday"), choices=Weekday.choices)
    starts_at = models.TimeField(_("from"))
    ends_at = models.TimeField(_("to"))

    class Meta:
        verbose_name = _("calling window")
        verbose_name_plural = _("calling windows")
        ordering = ["weekday", "starts_at"]
        constraints = [models.CheckConstraint(name="window_ends_after_start", condition=Q(ends_at__gt=F("starts_at")))]

    def __str__(self) -> str:
        return f"{self.get_weekday_display()} {self.starts_at:%H:%M}–{self.ends_at:%H:%M}"


class RetryRule(models.Model):
    """After this outcome: try again after so many seconds, at most so many attempts with that outcome."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="retry_rules")
    outcome = models.CharField(_("outcome"), max_length=16, choices=Outcome.choices)
    delay_s = models.PositiveIntegerField(_("try again after (seconds)"), default=3600)
    max_attempts = models.PositiveSmallIntegerField(
        _("attempts at most"), default=3, validators=[MinValueValidator(1), MaxValueValidator(20)]
    )

    class Meta:
        verbose_name = _("retry rule")
        verbose_name_plural = _("retry rules")
        constraints = [models.UniqueConstraint(name="retry_rule_once", fields=["campaign", "outcome"])]

    def __str__(self) -> str:
        return self.get_outcome_display()


class CampaignContact(models.Model):
    """A contact's way through a campaign. reason: the one current code of "why not dialled" (see campaigns.reasons)."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="people")
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="campaign_places")
    state = models.CharField(_("state"), max_length=10, choices=ContactState.choices, default=ContactState.PENDING)
    reason = models.CharField(_("reason"), max_length=40, blank=True)
    outcome = models.CharField(_("outcome"), max_length=16, choices=Outcome.choices, blank=True)
    n_attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField(_("next attempt"), default=timezone.now)
    settled_at = models.DateTimeField(_("settled at"), null=True, blank=True)

    class Meta:
        verbose_name = _("person of a campaign")
        verbose_name_plural = _("people of campaigns")
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(name="contact_once_per_campaign", fields=["campaign", "contact"]),
            models.CheckConstraint(
                name="done_has_outcome", condition=~Q(state="done") | (~Q(outcome="") & Q(settled_at__isnull=False))
            ),
        ]
        indexes = [
            models.Index(
                name="campaign_contact_due",
                fields=["campaign", "state", "next_attempt_at"],
                condition=Q(state__in=["pending", "retry", "callback"]),
            ),
            models.Index(name="campaign_contact_counts", fields=["campaign", "state", "outcome"]),
        ]

    def __str__(self) -> str:
        return f"{self.contact} · {self.get_state_display()}"


class DialAttempt(models.Model):
    """One try to reach one person: the claim, as a row. Live attempts are the campaign's taken slots."""

    campaign_contact = models.ForeignKey(CampaignContact, on_delete=models.CASCADE, related_name="attempts")
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="attempts")
    n = models.PositiveSmallIntegerField(_("attempt"))
    call = models.OneToOneField(Call, on_delete=models.PROTECT, related_name="attempt", verbose_name=_("call"))
    state = models.CharField(_("state"), max_length=8, choices=AttemptState.choices, default=AttemptState.CLAIMED)
    outcome = models.CharField(_("outcome"), max_length=16, choices=Outcome.choices, blank=True)
    claimed_at = models.DateTimeField(_("claimed at"), default=timezone.now)
    settled_at = models.DateTimeField(_("settled at"), null=True, blank=True)

    class Meta:
        verbose_name = _("dial attempt")
        verbose_name_plural = _("dial attempts")
        ordering = ["-claimed_at"]
        constraints = [
            models.UniqueConstraint(name="attempt_once", fields=["campaign_contact", "n"]),
            models.UniqueConstraint(name="attempt_one_live", fields=["campaign_contact"], condition=Q(state="claimed")),
            models.CheckConstraint(
                name="attempt_settled_has_outcome",
                condition=Q(state="claimed") | (~Q(outcome="") & Q(settled_at__isnull=False)),
            ),
        ]
        indexes = [models.Index(name="attempt_live", fields=["campaign"], condition=Q(state="claimed"))]

    def __str__(self) -> str:
        return f"#{self.pk}"


class CampaignEvent(models.Model):
    """Who did what to a campaign: the audit behind its History tab."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="history")
    kind = models.CharField(_("kind"), max_length=40, choices=HistoryKind.choices)
    data = models.JSONField(default=dict, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True)
    at = models.DateTimeField(_("at"), default=timezone.now)

    class Meta:
        verbose_name = _("campaign event")
        verbose_name_plural = _("campaign events")
        ordering = ["-at"]

    def __str__(self) -> str:
        return self.get_kind_display()
