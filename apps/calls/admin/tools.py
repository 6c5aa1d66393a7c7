"""Whom a virtual agent may hand calls to, and which services of yours it may ask."""

from typing import Any, ClassVar
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.contrib import admin
from django.forms import ModelForm
from django.utils.translation import gettext_lazy as _

from apps.calls.admin.languages import LanguageTabs, language_tabs
from apps.calls.models import (
    TransferTarget,
)
from apps.calls.models.transfer_target import Weekday
from apps.core.admin_site import Group
from apps.core.back_office import BackOfficeAdmin


class TransferTargetForm(ModelForm[TransferTarget]):
    open_days = forms.TypedMultipleChoiceField(
        label=_("Open on"),
        choices=Weekday.choices,
        coerce=int,
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text=_("None: every day."),
    )
    time_zone = forms.ChoiceField(
        label=_("Time zone"),
        choices=lambda: [("", settings.TIME_ZONE), *((zone, zone) for zone in sorted(available_timezones()))],
        required=False,
    )

    class Meta:
        model = TransferTarget
        fields = ("open_days", "time_zone")  # the sections of the form add the rest


@admin.register(TransferTarget)
class TransferTargetAdmin(LanguageTabs, BackOfficeAdmin[TransferTarget]):
    group = Group.CONVERSATION
    position = 3
    form = TransferTargetForm
    list_display = ("name", "code", "kind", "e164", "is_active")
    list_filter = ("kind", "is_active")
    search_fields = ("code", "name_en", "name_es", "name_cs", "e164")
    ordering = ("code",)
    fieldsets: ClassVar[Any] = (
        (None, {"fields": ("code", "kind", "e164", "is_active")}),
        *language_tabs("name", "description"),
        (
            _("When somebody is there"),
            {
                "fields": ("open_days", "opens_at", "closes_at", "time_zone"),
                "description": _("Without times it is open all day. While it is closed, the AI offers a callback."),
            },
        ),
    )
