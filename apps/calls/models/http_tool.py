"""Tools of your own: a service of yours that a virtual agent may ask during a call."""

from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.calls.http_templates import BadTool, check_schema, check_success_text, check_url
from apps.calls.models.tool import ToolName
from apps.core.sealing import seal, unseal

RESERVED = frozenset({*ToolName.values, "pause_recording", "resume_recording", "stop_recording"})


class Method(models.TextChoices):
    GET = "GET", "GET"
    POST = "POST", "POST"
    PUT = "PUT", "PUT"
    PATCH = "PATCH", "PATCH"
    DELETE = "DELETE", "DELETE"


def no_arguments() -> dict[str, Any]:
    return {"type": "object", "properties": {}, "required": []}


class HttpTool(models.Model):
    """url: a template, whose {places} are arguments. success_text: a sentence with {paths} into the JSON answer."""

    name = models.CharField(
        _("name"),
        max_length=40,
        unique=True,
        help_text=_("What the AI calls it by: small letters, digits and underscores, for example order_status."),
        validators=[RegexValidator(r"^[a-z][a-z0-9_]{2,39}$", _("Small letters, digits and underscores only."))],
    )
    description = models.TextField(
        _("description"), max_length=1000, help_text=_("The AI reads this: what it does, and when to use it.")
    )
    method = models.CharField(_("method"), max_length=6, choices=Method.choices, default=Method.GET)
    url = models.CharField(
        _("address"),
        max_length=500,
        help_text=_("For example https://api.example.com/orders/{order_id}. Other arguments go into query or body."),
    )
    parameters = models.JSONField(
        _("arguments"),
        default=no_arguments,
        help_text=_("A JSON schema of an object. The AI must follow it, or the tool is not called."),
    )
    timeout_s = models.PositiveSmallIntegerField(
        _("time limit (seconds)"),
        default=5,
        validators=[MinValueValidator(1), MaxValueValidator(15)],
        help_text=_("The person on the phone waits that long."),
    )
    max_bytes = models.PositiveIntegerField(
        _("longest answer (bytes)"),
        default=20_000,
        validators=[MinValueValidator(200), MaxValueValidator(200_000)],
    )
    success_text = models.TextField(
        _("what the AI is told"),
        max_length=1000,
        blank=True,
        help_text=_("A sentence with paths into the answer: The order is {order.status}. Empty: the answer itself."),
    )
    failure_text = models.TextField(
        _("what the AI is told when the service says no"),
        max_length=500,
        blank=True,
        help_text=_("For answers of 400 and above, for example: There is no such order."),
    )
    is_active = models.BooleanField(_("in use"), default=True)

    objects: ClassVar[models.Manager["HttpTool"]] = models.Manager()

    class Meta:
        verbose_name = _("HTTP tool")
        verbose_name_plural = _("HTTP tools")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if self.name in RESERVED:
            raise ValidationError({"name": _("A tool of that name exists already.")})
        try:
            check_schema(self.parameters)
            check_url(self.url, self.parameters, private_hosts=tuple(settings.HTTP_TOOL_ALLOWED_HOSTS))
            check_success_text(self.success_text)
        except BadTool as error:
            raise ValidationError({error.field: str(error)}) from error

    @property
    def changes_something(self) -> bool:
        """Whether asking twice may do something twice."""
        return self.method != Method.GET


class HttpToolHeader(models.Model):
    """A header sent along. A secret is sealed and never shown again: not in forms, logs, API or exports."""

    tool = models.ForeignKey(HttpTool, on_delete=models.CASCADE, related_name="headers")
    name = models.CharField(
        _("name"),
        max_length=80,
        validators=[RegexValidator(r"^[A-Za-z0-9-]+$", _("Letters, digits and hyphens only."))],
    )
    value = models.CharField(_("value"), max_length=500, blank=True)
    sealed = models.TextField(blank=True, editable=False)
    is_secret = models.BooleanField(_("secret"), default=True)

    objects: ClassVar[models.Manager["HttpToolHeader"]] = models.Manager()

    class Meta:
        verbose_name = _("header")
        verbose_name_plural = _("headers")
        ordering = ["name"]
        constraints = [models.UniqueConstraint(name="http_tool_header_once", fields=["tool", "name"])]

    def __str__(self) -> str:
        return self.name

    def keep(self, value: str) -> None:
        """Set the value, sealed if it is a secret."""
        self.value, self.sealed = ("", seal(value)) if self.is_secret else (value, "")

    def reveal(self) -> str:
        """The value as it is sent. Raises core.sealing.Unreadable."""
        return unseal(self.sealed) if self.is_secret else self.value
