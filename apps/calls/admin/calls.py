"""Calls, and what happened in them."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from apps.calls import selectors
from apps.calls.events import EventKind
from apps.calls.models import (
    Call,
    CallEvent,
    CallReview,
    CostItem,
    Leg,
    Recording,
    Turn,
)
from apps.core.admin_site import Group
from apps.core.back_office import ReadOnlyAdmin, ReadOnlyInline


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
    fields = ("at", "what", "data")
    readonly_fields = fields

    @admin.display(description=_("kind"))
    def what(self, event: CallEvent) -> str:
        return str(EventKind(event.kind).label) if event.kind in EventKind.values else event.kind


class CostInline(ReadOnlyInline[CostItem, Call]):
    model = CostItem
    fields = ("part", "service", "model", "quantity", "amount")
    readonly_fields = fields


class ReviewInline(ReadOnlyInline[CallReview, Call]):
    model = CallReview
    fields = ("state", "summary", "sentiment", "qa_score", "error")
    readonly_fields = fields


@admin.register(Call)
class CallAdmin(ReadOnlyAdmin[Call]):
    group = Group.CALLING
    position = 2
    list_display = ("created_at", "person", "campaign", "outcome", "disposition", "cost_usd")
    list_filter = ("outcome", "answer_verdict", "disposition", "direction", "language", "created_at")
    search_fields = ("remote_phone", "contact__first_name", "contact__last_name", "=id")
    search_help_text = _("Name, number or call number")
    date_hierarchy = "created_at"
    inlines = (LegInline, ReviewInline, TurnInline, EventInline, CostInline)
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
