"""What calls are made with, what they cost, and what happened in them."""

from typing import Any, ClassVar
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ModelForm, Script
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from import_export.admin import ImportExportMixin
from import_export.formats.base_formats import CSV
from import_export.resources import ModelResource

from apps.accounts.models import Language
from apps.calls import selectors
from apps.calls.models import (
    Call,
    CallEvent,
    CostItem,
    Disposition,
    Leg,
    Number,
    Price,
    Recording,
    ToolName,
    TransferTarget,
    Turn,
    VirtualAgent,
    VoiceAIFallback,
)
from apps.calls.models.transfer_target import Weekday
from apps.core.admin_site import Group
from apps.core.back_office import BackOfficeAdmin, ReadOnlyAdmin, ReadOnlyInline


def language_tabs(*fields: str, description: Any = "") -> list[tuple[Any, dict[str, Any]]]:
    """A section of the form for each language; admin-languages.js makes tabs of them, and says what is missing."""
    return [
        (
            name,
            {
                "fields": tuple(f"{field}_{code}" for field in fields),
                "classes": ("language-tab", f"language-tab-{code}"),
                "description": description if code == Language.ENGLISH else "",
            },
        )
        for code, name in Language.choices
    ]


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


class LanguageTabs:
    """The form of a model with texts in several languages: the tab says the language, the label need not."""

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)  # type: ignore[misc]  # of ModelAdmin
        original = getattr(db_field, "translated_field", None)
        if field is not None and original is not None:
            field.label = capfirst(original.verbose_name)
        return field

    class Media:
        js = (Script("js/admin-languages.js", type="module"),)
        css = {"all": ("css/admin-languages.css",)}


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


class DispositionResource(ModelResource):
    class Meta:
        model = Disposition
        import_id_fields = ("code",)
        fields = (
            "code",
            *(f"name_{code}" for code in Language.values),
            *(f"description_{code}" for code in Language.values),
            "is_success",
            "is_active",
            "position",
        )
        skip_unchanged = True
        report_skipped = True
        use_bulk = False


@admin.register(Disposition)
class DispositionAdmin(LanguageTabs, ImportExportMixin, BackOfficeAdmin[Disposition]):
    group = Group.CONVERSATION
    position = 2
    resource_classes = [DispositionResource]
    formats = [CSV]
    list_display = ("name", "code", "is_success", "is_active", "position")
    list_filter = ("is_success", "is_active")
    search_fields = ("code", "name_en", "name_es", "name_cs")
    ordering = ("position", "code")
    fieldsets: ClassVar[Any] = (
        (None, {"fields": ("code", "is_success", "is_active", "position")}),
        *language_tabs("name", "description"),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Disposition | None = None) -> Any:
        """The code is what past calls, reports and programs know it by."""
        return ("code",) if obj is not None else ()


@admin.register(Number)
class NumberAdmin(BackOfficeAdmin[Number]):
    group = Group.CALLING
    position = 3
    list_display = ("e164", "label", "carrier", "route", "is_active")
    list_filter = ("carrier", "route", "is_active")
    search_fields = ("e164", "label")
    fieldsets = (
        (None, {"fields": ("e164", "carrier", "label", "is_active")}),
        (
            _("When somebody calls it"),
            {
                "fields": ("route", "virtual_agent", "target", "language"),
                "description": _("A call to this number finds its contact by the caller's number."),
            },
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Number | None = None) -> Any:
        return ("e164", "carrier") if obj is not None else ()


class PriceResource(ModelResource):
    class Meta:
        model = Price
        import_id_fields = ("service", "model", "part", "valid_from")
        fields = ("service", "model", "part", "unit", "amount", "valid_from")
        skip_unchanged = True
        report_skipped = True


@admin.register(Price)
class PriceAdmin(ImportExportMixin, BackOfficeAdmin[Price]):
    """A new price is a new row: past calls keep what they cost."""

    group = Group.MONEY
    position = 1
    resource_classes = [PriceResource]
    formats = [CSV]
    list_display = ("service", "model", "part", "amount", "unit", "valid_from")
    list_filter = ("service", "part", "unit")
    search_fields = ("service", "model")
    date_hierarchy = "valid_from"
    fieldsets = (
        (None, {"fields": ("service", "model", "part")}),
        (
            _("Price"),
            {
                "fields": ("amount", "unit", "valid_from"),
                "description": _("Of two prices for the same thing the newer one counts, from its day on."),
            },
        ),
    )


@admin.register(CostItem)
class CostItemAdmin(ReadOnlyAdmin[CostItem]):
    group = Group.MONEY
    position = 2
    list_display = ("call_link", "service", "part", "quantity", "amount")
    list_filter = ("service", "part")
    search_fields = ("=call__id",)
    fields = ("call_link", "service", "model", "part", "quantity", "amount")

    @admin.display(description=_("call"), ordering="call_id")
    def call_link(self, item: CostItem) -> SafeString:
        return format_html(
            '<a href="{}">#{}</a>', reverse("admin:calls_call_change", args=[item.call_id]), item.call_id
        )


class LegInline(ReadOnlyInline[Leg, Call]):
    model = Leg
    fields = ("party", "carrier", "carrier_call_id", "state", "outcome", "answered_by", "ringing_at", "answered_at")
    readonly_fields = fields


class TurnInline(ReadOnlyInline[Turn, Call]):
    model = Turn
    fields = ("started_ms", "speaker", "text", "language", "was_interrupted")
    readonly_fields = fields


class EventInline(ReadOnlyInline[CallEvent, Call]):
    model = CallEvent
    fields = ("at", "kind", "data")
    readonly_fields = fields


class CostInline(ReadOnlyInline[CostItem, Call]):
    model = CostItem
    fields = ("part", "service", "model", "quantity", "amount")
    readonly_fields = fields


@admin.register(Call)
class CallAdmin(ReadOnlyAdmin[Call]):
    group = Group.CALLING
    position = 2
    list_display = ("created_at", "person", "campaign", "outcome", "disposition", "cost_usd")
    list_filter = ("outcome", "disposition", "direction", "language", "created_at")
    search_fields = ("remote_phone", "contact__first_name", "contact__last_name", "=id")
    search_help_text = _("Name, number or call number")
    date_hierarchy = "created_at"
    inlines = (LegInline, TurnInline, EventInline, CostInline)
    fieldsets = (
        (None, {"fields": ("page", "direction", "remote_phone", "number", "contact", "campaign", "language")}),
        (_("Times"), {"fields": ("created_at", "answered_at", "ended_at")}),
        (_("What came of it"), {"fields": ("outcome", "end_reason", "disposition", "disposition_note", "cost_usd")}),
        (_("Why it was allowed"), {"fields": ("rule_version", "correlation_id")}),
    )
    readonly_fields = ("page", "campaign", "cost_usd")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Call]:
        return selectors.with_costs(Call.objects.select_related("contact", "disposition", "number"))

    @admin.display(description=_("contact"), ordering="contact__last_name")
    def person(self, call: Call) -> str:
        return str(call.contact) if call.contact else call.remote_phone

    @admin.display(description=_("campaign"))
    def campaign(self, call: Call) -> str:
        return str(call.brief.get("campaign_name") or "")

    @admin.display(description=_("cost (USD)"), ordering="total_cost")
    def cost_usd(self, call: Call) -> str:
        return f"{call.total_cost:.4f}"  # type: ignore[attr-defined]  # annotated by with_costs

    @admin.display(description=_("with transcript"))
    def page(self, call: Call) -> SafeString:
        return format_html('<a href="{}">{}</a>', reverse("calls:detail", args=[call.pk]), _("Open the call page"))


@admin.register(Recording)
class RecordingAdmin(ReadOnlyAdmin[Recording]):
    """Nothing here plays by itself: the link leads to the call's page, where listening is noted."""

    group = Group.CALLING
    position = 4
    list_display = ("started_at", "listen", "source", "state", "length", "size")
    list_filter = ("state", "source", "erased_why", "started_at")
    search_fields = ("=call__id",)
    search_help_text = _("Call number")
    date_hierarchy = "started_at"
    list_select_related = ("call",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "listen",
                    "source",
                    "state",
                    "started_at",
                    "length",
                    "size",
                    "content_type",
                    "channels",
                    "paused",
                )
            },
        ),
        (_("Erased"), {"fields": ("deleted_at", "erased_why")}),
    )
    readonly_fields = ("listen", "length")

    @admin.display(description=_("call"), ordering="call_id")
    def listen(self, recording: Recording) -> SafeString:
        return format_html(
            '<a href="{}#recording">#{}</a>', reverse("calls:detail", args=[recording.call_id]), recording.call_id
        )

    @admin.display(description=_("length"), ordering="duration_ms")
    def length(self, recording: Recording) -> str:
        minutes, seconds = divmod(round(recording.duration_s), 60)
        return f"{minutes}:{seconds:02d}"
