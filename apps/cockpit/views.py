"""The start page, the live page, global search and the page that shows the design system."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from apps.accounts.permissions import allowed, requires
from apps.accounts.roles import Permission
from apps.cockpit import showcase


@login_required
def home(request: HttpRequest) -> HttpResponse:
    """To the page a role works on; an agent, whose desk is not here yet, to what they can do today."""
    if allowed(request.user, Permission.LIVE_VIEW):
        return redirect("cockpit:live")
    return render(request, "cockpit/agent_home.html")


@requires(Permission.LIVE_VIEW)
def live(request: HttpRequest) -> HttpResponse:
    return render(request, "cockpit/live.html")


@requires(Permission.CALLS_VIEW)
def search(request: HttpRequest) -> HttpResponse:
    return render(request, "cockpit/search.html")


def styleguide(request: HttpRequest) -> HttpResponse:
    """Every part of the design system with made-up content; open to all, as it shows nothing of anyone."""
    return render(request, "styleguide.html", showcase.context(request))
