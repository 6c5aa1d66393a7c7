"""Virtual agents: who speaks, through which voice AI, and what they may do."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.forms import ModelForm
from django.utils.translation import gettext_lazy as _

from apps.calls.admin.languages import LanguageTabs, language_tabs
from apps.calls.models import (
    ToolName,
    VirtualAgent,
    VoiceAIFallback,
)
from apps.core.admin_site import Group
from apps.core.back_office import BackOfficeAdmin


class VirtualAgentForm(ModelForm[VirtualAgent]):
    tools = forms.MultipleChoiceField(
        label=_("Tools"),
        choices=ToolName.choices,
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )

    class Meta:
        model = VirtualAgent
        fields = ("tools",)  # the sections of the form add the rest


class VoiceAIFallbackInline(admin.TabularInline[VoiceAIFallback, VirtualAgent]):
    model = VoiceAIFallback
    extra = 0
    fields = ("position", "provider", "model", "voice_en", "voice_es", "voice_cs", "llm", "speech")


@admin.register(VirtualAgent)
class VirtualAgentAdmin(LanguageTabs, BackOfficeAdmin[VirtualAgent]):
    group = Group.CONVERSATION
    position = 1
    form = VirtualAgentForm
    inlines = (VoiceAIFallbackInline,)
    list_display = ("name", "company", "speaks_as", "language", "is_active")
    list_filter = ("is_active", "provider", "language")
    search_fields = ("name", "company", "speaks_as")
    fieldsets: ClassVar[Any] = (
        (None, {"fields": ("name", "is_active")}),
        (_("Who speaks"), {"fields": ("speaks_as", "company", "language")}),
        *language_tabs(
            "greeting",
            "instructions",
            "voice",
            description=_("Spoken to people of this language. What is missing here is taken from English."),
        ),
        (_("What it may do"), {"fields": ("tools", "is_recorded")}),
        (_("Provider"), {"classes": ("collapse",), "fields": ("provider", "model", "llm", "speech")}),
    )
