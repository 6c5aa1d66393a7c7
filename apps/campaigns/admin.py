"""Campaigns, the people in them, and who did what to them."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from apps.accounts.permissions import allowed, signed_in
from apps.accounts.roles import Permission
from apps.campaigns import reasons, services
from apps.campaigns.models import CallingWindow, Campaign, CampaignContact, CampaignEvent, DialAttempt, RetryRule
from apps.campaigns.questions import question
from apps.campaigns.states import PAUSE_FROM, RESUME_FROM, START_FROM, STOP_FROM, CampaignState
from apps.core.admin_site import Group
from apps.core.back_office import BackOfficeAdmin, ReadOnlyAdmin, ReadOnlyInline
from apps.core.errors import DomainError

MOVES: dict[str, tuple[Any, Callable[..., Campaign], list[CampaignState]]] = {
    "start": (_("Start"), services.start, START_FROM),
    "pause": (_("Pause"), services.pause, PAUSE_FROM),
    "resume": (_("Resume"), services.resume, RESUME_FROM),
    "stop": (_("Stop"), services.stop, STOP_FROM),
}


class WindowInline(admin.TabularInline[CallingWindow, Campaign]):
    model = CallingWindow
    extra = 0
    verbose_name_plural = _("calling windows (in the contact's local time; none: whenever the rules allow)")


class RetryInline(admin.TabularInline[RetryRule, Campaign]):
    model = RetryRule
    extra = 0
    verbose_name_plural = _("retry rules (an outcome without a rule is not tried again)")


class HistoryInline(ReadOnlyInline[CampaignEvent, Campaign]):
    model = CampaignEvent
    verbose_name_plural = _("history")
    fields = ("at", "kind", "by", "data")
    readonly_fields = fields


@admin.register(Campaign)
class CampaignAdmin(BackOfficeAdmin[Campaign]):
    group = Group.CALLING
    position = 1
    list_display = ("name", "state", "contact_list", "virtual_agent", "started_at", "completed_at")
    list_filter = ("state", "virtual_agent", "contact_list")
    search_fields = ("name",)
    list_select_related = ("contact_list", "virtual_agent")
    autocomplete_fields = ("contact_list", "virtual_agent", "numbers")
    readonly_fields = ("moves", "state", "state_changed_at", "state_changed_by", "started_at", "completed_at")
    inlines = (WindowInline, RetryInline, HistoryInline)
    actions = tuple(f"{move}_campaigns" for move in MOVES)
    fieldsets = (
        (None, {"fields": ("name", "moves")}),
        (_("Whom, and who speaks"), {"fields": ("contact_list", "virtual_agent", "numbers", "is_recorded")}),
        (
            _("How fast"),
            {
                "fields": ("max_concurrent", "calls_per_second", "ring_timeout_s"),
                "description": _("Changes count from the next dial cycle on, also in a running campaign."),
            },
        ),
        (
            _("How it stands"),
            {"fields": ("state", "state_changed_at", "state_changed_by", "started_at", "completed_at")},
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Campaign | None = None) -> Any:
        """Whom a campaign calls is settled when it is started."""
        was_started = obj is not None and obj.state != CampaignState.DRAFT
        return (*self.readonly_fields, *(("contact_list",) if was_started else ()))

    def has_delete_permission(self, request: HttpRequest, obj: Campaign | None = None) -> bool:
        """Only a draft: everything else has calls and a history that hang on it."""
        is_draft = obj is None or obj.state == CampaignState.DRAFT
        return is_draft and super().has_delete_permission(request, obj)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Deleting many at once would take started ones along."""
        return {name: action for name, action in super().get_actions(request).items() if name != "delete_selected"}

    def get_urls(self) -> list[Any]:
        moves = path("move/<slug:move>/", self.admin_site.admin_view(self.move_view), name="campaigns_campaign_move")
        return [moves, *super().get_urls()]

    @admin.display(description=_("move it"))
    def moves(self, campaign: Campaign) -> SafeString | str:
        if campaign._state.adding:
            return "–"
        links = [
            format_html('<a class="button" href="{}?ids={}">{}</a>', _move_url(move), campaign.pk, label)
            for move, (label, _step, states) in MOVES.items()
            if campaign.state in states
        ]
        return format_html("{} " * len(links), *links)

    def move_view(self, request: HttpRequest, move: str) -> HttpResponseBase:
        """Ask, with counts; then do it, one campaign after the other, each for itself."""
        if move not in MOVES:
            raise Http404
        if not allowed(request.user, Permission.CAMPAIGNS_CONTROL):
            raise PermissionDenied
        ids = [int(pk) for pk in request.GET.get("ids", "").split(",") if pk.isdigit()]
        chosen = list(Campaign.objects.filter(pk__in=ids).select_related("contact_list").order_by("name"))
        if not chosen:
            raise Http404
        label, step, states = MOVES[move]
        if request.method == "POST":
            for campaign in chosen:
                self._move(request, campaign, label, step)
            return HttpResponseRedirect(reverse("admin:campaigns_campaign_changelist"))
        possible = [campaign for campaign in chosen if campaign.state in states]
        context = {
            **self.admin_site.each_context(request),
            "title": label,
            "opts": self.opts,
            "questions": [(campaign, question(campaign, move)) for campaign in possible],
            "left_out": [campaign for campaign in chosen if campaign not in possible],
            "label": label,
        }
        return TemplateResponse(request, "admin/campaigns/move.html", context)

    def _move(self, request: HttpRequest, campaign: Campaign, label: Any, step: Callable[..., Campaign]) -> None:
        try:
            step(campaign_id=campaign.pk, by=signed_in(request))
        except DomainError as error:
            self.message_user(request, f"{campaign.name}: {error}", messages.ERROR)
        else:
            self.log_change(request, campaign, str(label))
            self.message_user(request, f"{campaign.name}: {label}", messages.SUCCESS)

    def _ask(self, request: HttpRequest, campaigns: QuerySet[Campaign], *, move: str) -> HttpResponse:
        ids = ",".join(str(pk) for pk in campaigns.values_list("pk", flat=True))
        return HttpResponseRedirect(f"{_move_url(move)}?ids={ids}")

    @admin.action(description=_("Start …"))
    def start_campaigns(self, request: HttpRequest, campaigns: QuerySet[Campaign]) -> HttpResponse:
        return self._ask(request, campaigns, move="start")

    @admin.action(description=_("Pause …"))
    def pause_campaigns(self, request: HttpRequest, campaigns: QuerySet[Campaign]) -> HttpResponse:
        return self._ask(request, campaigns, move="pause")

    @admin.action(description=_("Resume …"))
    def resume_campaigns(self, request: HttpRequest, campaigns: QuerySet[Campaign]) -> HttpResponse:
        return self._ask(request, campaigns, move="resume")

    @admin.action(description=_("Stop …"))
    def stop_campaigns(self, request: HttpRequest, campaigns: QuerySet[Campaign]) -> HttpResponse:
        return self._ask(request, campaigns, move="stop")


def _move_url(move: str) -> str:
    return reverse("admin:campaigns_campaign_move", args=[move])


class AttemptInline(ReadOnlyInline[DialAttempt, CampaignContact]):
    model = DialAttempt
    fields = ("n", "state", "outcome", "call", "claimed_at", "settled_at")
    readonly_fields = fields


@admin.register(CampaignContact)
class PersonAdmin(ReadOnlyAdmin[CampaignContact]):
    group = Group.CALLING
    position = 4
    list_display = ("contact", "campaign", "state", "why", "outcome", "n_attempts", "next_attempt_at")
    list_filter = ("state", "outcome", "campaign", "reason")
    search_fields = ("contact__phone", "contact__first_name", "contact__last_name")
    list_select_related = ("contact", "campaign")
    inlines = (AttemptInline,)
    fields = ("campaign", "contact", "state", "why", "outcome", "n_attempts", "next_attempt_at", "settled_at")

    @admin.display(description=_("reason"), ordering="reason")
    def why(self, person: CampaignContact) -> str:
        return str(reasons.words(person.reason))


@admin.register(DialAttempt)
class AttemptAdmin(ReadOnlyAdmin[DialAttempt]):
    group = Group.CALLING
    position = 5
    list_display = ("claimed_at", "campaign", "person", "n", "state", "outcome")
    list_filter = ("state", "outcome", "campaign")
    search_fields = ("campaign_contact__contact__phone", "campaign_contact__contact__last_name", "=call__id")
    list_select_related = ("campaign", "campaign_contact__contact")
    date_hierarchy = "claimed_at"
    fields = ("campaign", "person", "n", "call", "state", "outcome", "claimed_at", "settled_at")

    @admin.display(description=_("contact"))
    def person(self, attempt: DialAttempt) -> str:
        return str(attempt.campaign_contact.contact)
