"""What a conversation meant to the business."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _


class Disposition(models.Model):
    code = models.SlugField(_("code"), max_length=40, unique=True, help_text=_("Stable name, used by AI and API."))
    name = models.CharField(_("name"), max_length=80)
    description = models.CharField(
        _("description"), max_length=200, blank=True, help_text=_("Tells the AI when to choose it.")
    )
    is_success = models.BooleanField(_("counts as success"), default=False)
    is_active = models.BooleanField(_("in use"), default=True)
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    objects: ClassVar[models.Manager["Disposition"]] = models.Manager()

    class Meta:
        verbose_name = _("disposition")
        verbose_name_plural = _("dispositions")
        ordering = ["position", "code"]

    def __str__(self) -> str:
        return self.name
