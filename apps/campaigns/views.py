"""Campaign pages: the list, one campaign in its tabs, its form, and the buttons that move it."""

from typing import cast

from django.contrib import messages
from django.db import transaction
from django.forms import BaseInlineFormSet
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from apps.accounts.permissions import allowed, requires, signed_in
from apps.accounts.roles import Permission
from apps.calls.models import Carrier
from apps.campaigns import reasons, selectors, services
from apps.campaigns.filters import CampaignFilter, PeopleFilter
from apps.campaigns.forms import CampaignForm, RetryRuleFormSet, WindowFormSet
from apps.campaigns.models import Campaign, CampaignContact
from apps.campaigns.questions import question
from apps.campaigns.states import PAUSE_FROM, RESUME_FROM, START_FROM, STOP_FROM
from apps.core.errors import DomainError
from apps.core.listing import Listing, csv_response
from apps.core.tables import Column

COLUMNS = (
    Column("name", gettext_lazy("Name"), ("name",)),
    Column("state", gettext_lazy("State"), ("state",)),
    Column("list", gettext_lazy("Contact list"), ("contact_list__name",)),
    Column("progress", gettext_lazy("Settled"), is_number=True),
    Column("answered", gettext_lazy("Answered"), is_number=True),
    Column("success", gettext_lazy("Success"), is_number=True),
    Column("created", gettext_lazy("Created"), ("created_at",)),
)
PEOPLE_COLUMNS = (
    Column("name", gettext_lazy("Name"), ("contact__last_name", "contact__first_name")),
    Column("phone", gettext_lazy("Number"), ("contact__phone",)),
    Column("state", gettext_lazy("State"), ("state",)),
    Column("reason", gettext_lazy("Reason"), ("reason",)),
    Column("outcome", gettext_lazy("Outcome"), ("outcome",)),
    Column("attempts", gettext_lazy("Attempts"), ("n_attempts",), is_number=True),
    Column("next", gettext_lazy("Next attempt"), ("next_attempt_at",)),
)
ACTIONS = {"start": services.start, "pause": services.pause, "resume": services.resume, "stop": services.stop}


@require_GET
@requires(Permission.CAMPAIGNS_VIEW)
def campaign_list(request: HttpRequest) -> HttpResponseBase:
    campaigns = selectors.campaigns_visible_to(signed_in(request))
    listing = Listing(request, campaigns, columns=COLUMNS, default_sort="-created", filterset=CampaignFilter)
    shown = list(listing.page)
    rows = list(zip(shown, selectors.campaign_cards(shown), strict=True))
    return render(request, "campaigns/list.html", {"listing": listing, "page": listing.page, "rows": rows})


@require_GET
@requires(Permission.CAMPAIGNS_VIEW)
def campaign_detail(request: HttpRequest, pk: int) -> HttpResponseBase:
    campaign = _visible(request, pk)
    context = _frame(request, campaign, "detail")
    context["why"] = selectors.why_not_dialled(campaign)
    context["carriers_words"] = _carriers_words(cast("selectors.CampaignCard", context["card"]))
    return render(request, "campaigns/detail.html", context)


@require_GET
@requires(Permission.CAMPAIGNS_VIEW)
def campaign_people(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Everybody of the campaign with their state and the one current reason."""
    campaign = _visible(request, pk)
    people = selectors.people_of(campaign)
    listing = Listing(request, people, columns=PEOPLE_COLUMNS, default_sort="name", filterset=PeopleFilter)
    if request.GET.get("format") == "csv":
        may_see = allowed(request.user, Permission.CONTACTS_UNMASK)
        return csv_response(
            campaign.name,
            [str(column.label) for column in PEOPLE_COLUMNS],
            listing.rows.iterator(chunk_size=2000),
            lambda person: _cells(person, may_see=may_see),
        )
    context = _frame(request, campaign, "people") | {"listing": listing, "page": listing.page}
    context["rows"] = [(person, reasons.words(person.reason)) for person in listing.page]
    return render(request, "campaigns/people.html", context)


@require_GET
@requires(Permission.CAMPAIGNS_VIEW)
def campaign_setup(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Conversation, schedule, pace and retries, as they stand."""
    campaign = _visible(request, pk)
    context = _frame(request, campaign, "setup")
    context["windows"] = campaign.windows.all()
    context["retry_rules"] = campaign.retry_rules.all()
    context["numbers"] = campaign.numbers.all()
    return render(request, "campaigns/setup.html", context)


@require_GET
@requires(Permission.CAMPAIGNS_VIEW)
def campaign_history(request: HttpRequest, pk: int) -> HttpResponseBase:
    campaign = _visible(request, pk)
    context = _frame(request, campaign, "history")
    context["events"] = campaign.history.select_related("by")[:200]
    return render(request, "campaigns/history.html", context)


@require_http_methods(["GET", "POST"])
@requires(Permission.CAMPAIGNS_CONTROL)
def campaign_act(request: HttpRequest, pk: int, action: str) -> HttpResponseBase:
    """Ask before a campaign is moved, naming counts; then move it."""
    if action not in ACTIONS:
        raise Http404
    campaign = _visible(request, pk)
    if request.method == "POST":
        try:
            ACTIONS[action](campaign_id=campaign.pk, by=signed_in(request))
        except DomainError as error:
            messages.error(request, str(error))
        return redirect("campaigns:detail", pk=campaign.pk)
    return render(request, "campaigns/confirm.html", _frame(request, campaign, "detail") | question(campaign, action))


@require_http_methods(["GET", "POST"])
@requires(Permission.CAMPAIGNS_EDIT)
def campaign_new(request: HttpRequest) -> HttpResponseBase:
    return _edit(request, Campaign())


@require_http_methods(["GET", "POST"])
@requires(Permission.CAMPAIGNS_EDIT)
def campaign_edit(request: HttpRequest, pk: int) -> HttpResponseBase:
    return _edit(request, _visible(request, pk))


def _edit(request: HttpRequest, campaign: Campaign) -> HttpResponseBase:
    data = request.POST or None
    form = CampaignForm(data, instance=campaign)
    windows = WindowFormSet(data, instance=campaign, prefix="windows")
    retries = RetryRuleFormSet(data, instance=campaign, prefix="retries")
    parts: list[CampaignForm | BaseInlineFormSet] = [form, windows, retries]  # type: ignore[type-arg]
    if request.method == "POST" and all([part.is_valid() for part in parts]):
        with transaction.atomic():
            windows.instance = retries.instance = form.save()
            windows.save()
            retries.save()
        messages.success(request, _("Campaign saved."))
        return redirect("campaigns:detail", pk=form.instance.pk)
    context = {
        "form": form,
        "windows": windows,
        "retries": retries,
        "campaign": campaign,
        "title": campaign.name if campaign.pk else _("New campaign"),
        "back": reverse("campaigns:detail", args=[campaign.pk]) if campaign.pk else reverse("campaigns:list"),
        "crumbs": [(_("Campaigns"), reverse("campaigns:list"))],
    }
    return render(request, "campaigns/form.html", context, status=400 if request.method == "POST" else 200)


def _visible(request: HttpRequest, pk: int) -> Campaign:
    campaign = selectors.campaigns_visible_to(signed_in(request)).filter(pk=pk).first()
    if campaign is None:
        raise Http404
    return campaign


def _frame(request: HttpRequest, campaign: Campaign, current: str) -> dict[str, object]:
    """What every tab of a campaign shows: its head, its counters, its buttons."""
    places = (
        ("detail", _("Now")),
        ("people", _("People")),
        ("setup", _("Set-up")),
        ("history", _("History")),
    )
    return {
        "campaign": campaign,
        "card": selectors.campaign_card(campaign),
        "acts": _acts(campaign) if allowed(request.user, Permission.CAMPAIGNS_CONTROL) else [],
        "tabs": [
            {"label": label, "url": reverse(f"campaigns:{name}", args=[campaign.pk]), "is_current": name == current}
            for name, label in places
        ],
        "crumbs": [(_("Campaigns"), reverse("campaigns:list"))],
    }


def _carriers_words(card: selectors.CampaignCard) -> str:
    """What the live page says of carriers that do not answer; nothing while all do."""
    down, instead = (
        get_text_list([str(Carrier(code).label) for code in card[key]], _("and"))  # type: ignore[literal-required]
        for key in ("carriers_down", "carriers_instead")
    )
    if not down:
        return ""
    if instead:
        return _("%(down)s does not answer: going on with %(instead)s numbers.") % {"down": down, "instead": instead}
    return _("%(down)s does not answer: waiting until it does.") % {"down": down}


def _acts(campaign: Campaign) -> list[dict[str, object]]:
    """The buttons a campaign offers in its state, each with its question."""
    offered = (
        ("start", START_FROM, _("Start"), "player-play"),
        ("resume", RESUME_FROM, _("Resume"), "player-play"),
        ("pause", PAUSE_FROM, _("Pause"), "player-pause"),
        ("stop", STOP_FROM, _("Stop"), "player-stop"),
    )
    return [
        {"name": name, "label": label, "icon": icon, "is_danger": name == "stop", **question(campaign, name)}
        for name, states, label, icon in offered
        if campaign.state in states
    ]


def _cells(person: CampaignContact, *, may_see: bool) -> list[object]:
    return [
        person.contact.name,
        person.contact.phone if may_see else person.contact.masked_phone,
        person.get_state_display(),
        str(reasons.words(person.reason)),
        person.get_outcome_display(),
        person.n_attempts,
        person.next_attempt_at.isoformat(timespec="seconds"),
    ]
