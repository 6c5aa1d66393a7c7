"""Whom we may call: people, their consents, and those who must not be called."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Language
from apps.core import phone


class Channel(models.TextChoices):
    VOICE = "voice", _("Voice")
    SMS = "sms", _("SMS")
    EMAIL = "email", _("E-mail")


class ContactList(models.Model):
    name = models.CharField(_("name"), max_length=120, unique=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("contact list")
        verbose_name_plural = _("contact lists")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class ZoneSource(models.TextChoices):
    """How we know a contact's time zone, best first."""

    GIVEN = "given", _("given in the list")
    NUMBER = "number", _("from the phone number")
    COUNTRY = "country", _("guessed: the number's area spans several zones")


class Contact(models.Model):
    contact_list = models.ForeignKey(
        ContactList, on_delete=models.CASCADE, related_name="contacts", verbose_name=_("contact list")
    )
    phone = models.CharField(_("phone"), max_length=16, help_text=_("E.164, for example +12025550123."))
    country = models.CharField(_("country"), max_length=2, help_text=_("ISO 3166 code; decides the calling rules."))
    time_zone = models.CharField(_("time zone"), max_length=64)
    zone_source = models.CharField(_("source of the time zone"), max_length=8, choices=ZoneSource.choices)
    language = models.CharField(_("language"), max_length=8, choices=Language.choices, blank=True)
    first_name = models.CharField(_("first name"), max_length=80, blank=True)
    last_name = models.CharField(_("last name"), max_length=80, blank=True)
    email = models.EmailField(_("e-mail"), blank=True)
    fields = models.JSONField(
        _("custom fields"), default=dict, blank=True, help_text=_("Further columns of the imported list.")
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(name="contact_phone_once_per_list", fields=["contact_list", "phone"]),
            models.CheckConstraint(name="contact_phone_e164", condition=Q(phone__regex=r"^\+[1-9][0-9]{6,14}$")),
        ]
        indexes = [models.Index(fields=["phone"])]

    def __str__(self) -> str:
        return self.name or phone.mask(self.phone)

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()

    @property
    def masked_phone(self) -> str:
        return phone.mask(self.phone)


class Consent(models.Model):
    """Proof that a person agreed to be contacted on a channel; withdrawn by setting withdrawn_at, never deleted."""

    phone = models.CharField(_("phone"), max_length=16)
    channel = models.CharField(_("channel"), max_length=8, choices=Channel.choices)
    is_written = models.BooleanField(_("written"), default=False)
    source = models.CharField(_("source"), max_length=200, help_text=_("Where and how the person agreed."))
    given_at = models.DateTimeField(_("given at"))
    withdrawn_at = models.DateTimeField(_("withdrawn at"), null=True, blank=True)

    class Meta:
        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        indexes = [models.Index(fields=["phone", "channel"])]
        constraints = [
            models.UniqueConstraint(
                name="consent_one_live", fields=["phone", "channel"], condition=Q(withdrawn_at__isnull=True)
            ),
            models.CheckConstraint(
                name="consent_withdrawn_after_given",
                condition=Q(withdrawn_at__isnull=True) | Q(withdrawn_at__gte=F("given_at")),
            ),
        ]

    def __str__(self) -> str:
        return f"{phone.mask(self.phone)} · {self.get_channel_display()}"


class DncSource(models.TextChoices):
    AI_CALL = "ai_call", _("said so in a call")
    TEXT = "text", _("said so by text message")
    MANUAL = "manual", _("entered by staff")
    IMPORT = "import", _("imported list")


class DncEntry(models.Model):
    """A number that must not be contacted on a channel: do-not-call."""

    phone = models.CharField(_("phone"), max_length=16)
    channel = models.CharField(_("channel"), max_length=8, choices=Channel.choices)
    source = models.CharField(_("source"), max_length=16, choices=DncSource.choices, default=DncSource.MANUAL)
    note = models.CharField(_("note"), max_length=200, blank=True)
    call_id = models.BigIntegerField(_("call"), null=True, blank=True, help_text=_("The call in which it was said."))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, verbose_name=_("entered by")
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("do-not-call entry")
        verbose_name_plural = _("do-not-call list")
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(name="dnc_once_per_channel", fields=["phone", "channel"]),
            models.CheckConstraint(name="dnc_phone_e164", condition=Q(phone__regex=r"^\+[1-9][0-9]{6,14}$")),
        ]

    def __str__(self) -> str:
        return f"{phone.mask(self.phone)} · {self.get_channel_display()}"


class ImportState(models.TextChoices):
    WAITING = "waiting", _("waiting")
    RUNNING = "running", _("running")
    DONE = "done", _("done")
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", _("cancelled")


class ContactImport(models.Model):
    """One uploaded file and what became of its rows. The rows' fates are in ``report``, a CSV."""

    contact_list = models.ForeignKey(ContactList, on_delete=models.CASCADE, related_name="imports")
    file = models.FileField(_("file"), upload_to="imports/%Y/%m/")
    file_name = models.CharField(_("file name"), max_length=255)
    state = models.CharField(_("state"), max_length=10, choices=ImportState.choices, default=ImportState.WAITING)
    error_code = models.CharField(max_length=40, blank=True)
    error_detail = models.CharField(max_length=300, blank=True)
    n_rows = models.PositiveIntegerField(_("rows"), default=0)
    n_added = models.PositiveIntegerField(_("added"), default=0)
    n_rejected = models.PositiveIntegerField(_("rejected"), default=0)
    reasons = models.JSONField(_("reasons"), default=dict, blank=True, help_text=_("Rejected rows by reason."))
    report = models.FileField(_("report"), upload_to="imports/%Y/%m/", blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    class Meta:
        verbose_name = _("contact import")
        verbose_name_plural = _("contact imports")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.file_name
