"""The start page, the live page with its panel and buttons, global search, and the style guide."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from apps.accounts.permissions import allowed, requires, signed_in
from apps.accounts.roles import Permission
from apps.calls.models import Call, Speaker
from apps.calls.selectors import CallDetail, call_detail
from apps.calls.states import LegState, Outcome
from apps.campaigns.states import CampaignState
from apps.cockpit import commands, showcase
from apps.cockpit.finding import find
from apps.cockpit.services_view import SERVICE_NAMES
from apps.cockpit.snapshot import take_snapshot
from apps.core.errors import DomainError


@require_GET
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """To the page a role works on; an agent, whose desk is not here yet, to what they can do today."""
    if allowed(request.user, Permission.LIVE_VIEW):
        return redirect("cockpit:live")
    return render(request, "cockpit/agent_home.html")


@require_GET
@requires(Permission.LIVE_VIEW)
def live(request: HttpRequest) -> HttpResponse:
    """``?call=7`` opens that call at the side; ``?wall=1`` is for a screen on the wall, without menus."""
    user = signed_in(request)
    asked = request.GET.get("call", "")
    detail = _detail(request, int(asked)) if asked.isdecimal() and len(asked) <= 18 else None
    context = {
        "snapshot": take_snapshot(user),
        "panel": detail,
        "is_wall": request.GET.get("wall") == "1",
        "leg_states": LegState.values,
        "outcomes": Outcome.values,
        "campaign_states": CampaignState.values,
        "service_names": {code: str(name) for code, name in SERVICE_NAMES.items()},
        "blank_turns": [
            {"speaker": speaker, "text": "", "started_ms": 0, "was_interrupted": True} for speaker in Speaker
        ],
        "takes_tour": request.COOKIES.get("tour") != "done" and request.GET.get("wall") != "1",
    }
    return render(request, "cockpit/live.html", context)


@require_GET
@requires(Permission.LIVE_VIEW)
def panel(request: HttpRequest, pk: int) -> HttpResponse:
    """The side panel of one call, by itself."""
    detail = _detail(request, pk)
    if detail is None:
        raise Http404
    return render(request, "cockpit/_panel.html", {"panel": detail})


@require_http_methods(["GET", "POST"])
@requires(Permission.LIVE_VIEW)
def command(request: HttpRequest, kind: str, pk: int, act: str) -> HttpResponseBase:
    """GET asks, POST does. A script gets the dialog by itself and JSON; without one it is a page and a way back."""
    user = signed_in(request)
    is_script = request.headers.get("X-Requested-With") == "fetch"
    if request.method == "GET":
        context = {"question": commands.ask(user, kind=kind, pk=pk, act=act), "action": request.path}
        return render(request, "cockpit/_question.html" if is_script else "cockpit/question.html", context)
    try:
        words = commands.run(user, kind=kind, pk=pk, act=act)
    except DomainError as error:
        if is_script:
            return JsonResponse({"error": {"code": error.code, "message": str(error)}}, status=error.status)
        messages.error(request, str(error))
        return redirect("cockpit:live")
    if is_script:
        return JsonResponse({"message": words})
    messages.success(request, words)
    return redirect("cockpit:live")


@require_GET
@requires(Permission.CALLS_VIEW)
def search(request: HttpRequest) -> HttpResponse:
    """``?q=``: contacts, calls and campaigns that it may mean."""
    query = request.GET.get("q", "").strip()[:80]
    found = find(signed_in(request), query)
    title = _("Search: %(query)s") % {"query": query} if query else _("Search")
    return render(request, "cockpit/search.html", {"query": query, "found": found, "title": title})


@require_GET
def styleguide(request: HttpRequest) -> HttpResponse:
    """Every part of the design system with made-up content; open to all, as it shows nothing of anyone."""
    return render(request, "styleguide.html", showcase.context(request))


def _detail(request: HttpRequest, pk: int) -> CallDetail | None:
    try:
        return call_detail(signed_in(request), pk)
    except Call.DoesNotExist:
        return None
