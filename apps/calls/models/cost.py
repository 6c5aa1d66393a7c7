"""What a call costs: a dated price table, and the priced parts of each call."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.calls.models.call import Call


class Unit(models.TextChoices):
    MINUTE = "minute", _("minute")
    MILLION_TOKENS = "million_tokens", _("million tokens")
    MILLION_CHARACTERS = "million_characters", _("million characters")
    MESSAGE = "message", _("message")


class Part(models.TextChoices):
    CARRIER = "carrier", _("carrier")
    AUDIO_IN = "audio_in", _("audio tokens in")
    AUDIO_OUT = "audio_out", _("audio tokens out")
    TEXT_IN = "text_in", _("text tokens in")
    TEXT_OUT = "text_out", _("text tokens out")
    CACHED_IN = "cached_in", _("cached tokens in")
    TRANSCRIPTION = "transcription", _("transcription")
    SPEECH = "speech", _("text to speech")
    MESSAGE = "message", _("messages")


_BRANDS = {
    "twilio": "Twilio",
    "telnyx": "Telnyx",
    "openai": "OpenAI",
    "gemini": "Gemini",
    "deepgram": "Deepgram",
}


class Price(models.Model):
    """service: a carrier or provider code; model: "" where the service has one price. Newest valid_from wins."""

    service = models.CharField(_("service"), max_length=16)
    model = models.CharField(_("model"), max_length=80, blank=True)
    part = models.CharField(_("part"), max_length=16, choices=Part.choices)
    unit = models.CharField(_("unit"), max_length=20, choices=Unit.choices)
    amount = models.DecimalField(_("price (USD)"), max_digits=12, decimal_places=6)
    valid_from = models.DateField(_("valid from"))

    class Meta:
        verbose_name = _("price")
        verbose_name_plural = _("price table")
        ordering = ["service", "model", "part", "-valid_from"]
        constraints = [
            models.UniqueConstraint(name="price_once_per_day", fields=["service", "model", "part", "valid_from"])
        ]

    def __str__(self) -> str:
        return f"{self.service} {self.model} {self.get_part_display()}".strip()


class CostItem(models.Model):
    """One priced part of a call. quantity is in single tokens or in seconds; amount is money in USD."""

    call = models.ForeignKey(Call, on_delete=models.CASCADE, related_name="cost_items")
    part = models.CharField(_("part"), max_length=16, choices=Part.choices)
    service = models.CharField(_("service"), max_length=16)
    model = models.CharField(_("model"), max_length=80, blank=True)
    quantity = models.PositiveBigIntegerField(_("quantity"), default=0)
    amount = models.DecimalField(_("amount (USD)"), max_digits=12, decimal_places=6, default=0)

    class Meta:
        verbose_name = _("cost item")
        verbose_name_plural = _("cost items")
        constraints = [models.UniqueConstraint(name="cost_once_per_part", fields=["call", "service", "model", "part"])]

    def __str__(self) -> str:
        return self.get_part_display()

    @property
    def is_time(self) -> bool:
        """Whether the quantity is seconds in any case; what is written down may be either."""
        return self.part == Part.CARRIER

    @property
    def service_name(self) -> str:
        return _BRANDS.get(self.service, self.service)
