"""The list of calls, and one call with everything that was said and done."""

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.permissions import allowed, requires, signed_in
from apps.accounts.roles import Permission
from apps.calls import selectors, story
from apps.calls.events import EventKind
from apps.calls.filters import CallFilter
from apps.calls.forms import DispositionForm, VerdictForm
from apps.calls.models import Call, CallReview, EndReason
from apps.calls.player import player_of
from apps.calls.services import dispositions, ending, reviews, verdicts
from apps.core.listing import Listing, csv_response
from apps.core.tables import Column

COLUMNS = (
    Column("when", gettext_lazy("When"), ("created_at",)),
    Column("contact", gettext_lazy("Contact"), ("contact__last_name", "contact__first_name")),
    Column("campaign", gettext_lazy("Campaign"), ("brief__campaign_name",)),
    Column("outcome", gettext_lazy("Outcome"), ("outcome",)),
    Column("disposition", gettext_lazy("Disposition"), ("disposition__position",)),
    Column("language", gettext_lazy("Language"), ("language",)),
    Column("length", gettext_lazy("Length"), is_number=True),
    Column("cost", gettext_lazy("Cost (USD)"), ("total_cost",), is_number=True),
)
COST_COLUMNS = (
    Column("part", gettext_lazy("Part")),
    Column("quantity", gettext_lazy("Quantity"), is_number=True),
    Column("amount", gettext_lazy("USD"), is_number=True),
)

_CORRECTIONS = frozenset({EventKind.DISPOSITION_CORRECTED.value, EventKind.VERDICT_CORRECTED.value})


@require_GET
@requires(Permission.CALLS_VIEW)
def call_list(request: HttpRequest) -> HttpResponseBase:
    """All calls the visitor may see; ``?format=csv`` gives exactly what is listed."""
    calls = selectors.with_costs(selectors.with_people(selectors.calls_visible_to(signed_in(request))))
    listing = Listing(request, calls, columns=COLUMNS, default_sort="-when", filterset=CallFilter)
    if request.GET.get("format") == "csv":
        may_see = allowed(request.user, Permission.CONTACTS_UNMASK)
        return csv_response(
            _("Calls"),
            [str(column.label) for column in COLUMNS] + [_("Number"), _("Note")],
            listing.rows.iterator(chunk_size=2000),
            lambda call: _cells(call, may_see=may_see),
        )
    return render(request, "calls/list.html", {"listing": listing, "page": listing.page})


@require_GET
@requires(Permission.CALLS_VIEW)
def call_detail(request: HttpRequest, pk: int) -> HttpResponseBase:
    try:
        detail = selectors.call_detail(signed_in(request), pk)
    except Call.DoesNotExist as error:
        raise Http404 from error
    form = DispositionForm(initial={"disposition": detail.call.disposition, "note": detail.call.disposition_note})
    context = {
        "detail": detail,
        "call": detail.call,
        "lines": story.tell(detail.events),
        "voice_ais": " → ".join(story.voice_ais(detail.events)),
        "corrected": {event.kind for event in detail.events if event.kind in _CORRECTIONS},
        "review_fields": _in_words(detail.review),
        "subtitle": _subtitle(detail.call),
        "player": player_of(detail),
        "form": form,
        "verdict_form": VerdictForm(initial={"verdict": detail.call.answer_verdict}),
        "cost_columns": COST_COLUMNS,
        "crumbs": [(_("Calls"), reverse("calls:list"))],
    }
    return render(request, "calls/detail.html", context)


@require_POST
@requires(Permission.CALLS_CORRECT)
def correct_disposition(request: HttpRequest, pk: int) -> HttpResponse:
    call = _visible(request, pk)
    form = DispositionForm(request.POST)
    if not form.is_valid():
        raise BadRequest("unknown disposition")
    dispositions.set_disposition(
        call.pk, code=form.cleaned_data["disposition"].code, note=form.cleaned_data["note"], by=signed_in(request)
    )
    messages.success(request, _("Disposition corrected. The change is shown in the timeline."))
    return redirect("calls:detail", pk=call.pk)


@require_POST
@requires(Permission.CALLS_CORRECT)
def correct_verdict(request: HttpRequest, pk: int) -> HttpResponse:
    call = _visible(request, pk)
    form = VerdictForm(request.POST)
    if not form.is_valid():
        raise BadRequest("unknown verdict")
    verdicts.correct_verdict(call.pk, form.cleaned_data["verdict"], by=signed_in(request))
    messages.success(request, _("Corrected. The change is shown in the timeline."))
    return redirect("calls:detail", pk=call.pk)


@require_POST
@requires(Permission.CALLS_CORRECT)
def review_again(request: HttpRequest, pk: int) -> HttpResponse:
    call = _visible(request, pk)
    reviews.review_again(call.pk)
    messages.success(request, _("The call is being reviewed again."))
    return redirect("calls:detail", pk=call.pk)


@require_POST
@requires(Permission.CALLS_END)
def end_call(request: HttpRequest, pk: int) -> HttpResponse:
    call = _visible(request, pk)
    if ending.request_end(call.pk, reason=EndReason.STAFF_ENDED, by=signed_in(request)):
        messages.success(request, _("The call is being ended."))
    else:
        messages.info(request, _("The call was over already."))
    return redirect("calls:detail", pk=call.pk)


def _subtitle(call: Call) -> str:
    """What the call was for and what came of it, beneath its name."""
    parts = (call.brief.get("campaign_name"), call.disposition and call.disposition.name)
    return " · ".join(str(part) for part in parts if part)


def _in_words(review: CallReview | None) -> list[tuple[str, str]]:
    """What was extracted from the conversation, as a manager reads it: name and value."""
    words = {True: _("yes"), False: _("no"), None: "–"}
    lines = []
    for name, value in (review.fields if review else {}).items():
        text = words[value] if value is None or isinstance(value, bool) else value
        text = ", ".join(map(str, text)) if isinstance(text, list) else text
        text = number_format(text) if isinstance(text, int | float) else text
        lines.append((capfirst(name.replace("_", " ")), str(text)))
    return lines


def _visible(request: HttpRequest, pk: int) -> Call:
    call = selectors.calls_visible_to(signed_in(request)).filter(pk=pk).first()
    if call is None:
        raise Http404
    return call


def _cells(call: Call, *, may_see: bool) -> list[object]:
    return [
        call.created_at.isoformat(timespec="seconds"),
        call.contact.name if call.contact else "",
        call.brief.get("campaign_name") or "",
        call.get_outcome_display(),
        call.disposition.name if call.disposition else "",
        call.get_language_display(),
        round(call.talk_s),
        call.total_cost,  # type: ignore[attr-defined]  # annotated by with_costs
        call.remote_phone if may_see else call.masked_phone,
        call.disposition_note,
    ]
