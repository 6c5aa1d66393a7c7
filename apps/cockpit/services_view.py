"""How the outside services stand: their circuit breakers as all processes know them, and the button that closes one."""

from dataclasses import dataclass
from datetime import datetime

import structlog
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.permissions import allowed, requires, signed_in
from apps.accounts.roles import Permission
from apps.calls.models import Carrier, Provider
from apps.core import breaker
from apps.core.tables import Column

log = structlog.get_logger(__name__)

SERVICE_NAMES: dict[str, str | Promise] = {
    **{carrier.value: carrier.label for carrier in Carrier},
    **{provider.value: provider.label for provider in Provider},
    **{f"{carrier.value}-texts": carrier.label for carrier in Carrier},
}
COLUMNS = [
    Column("service", gettext_lazy("Service")),
    Column("state", gettext_lazy("State")),
    Column("opened_at", gettext_lazy("Opened last")),
    Column("n_failures", gettext_lazy("Failures in a row"), is_number=True),
    Column("reset", gettext_lazy("Reset"), is_label_hidden=True),
]


@dataclass(frozen=True, slots=True)
class Service:
    """A row of the page. code: the breaker's name, as metrics and logs have it."""

    code: str
    name: str | Promise
    state: str
    opened_at: datetime | None
    n_failures: int


def services_away() -> list[str]:
    """Codes of the services that are not asked now, or only tried. One question to Redis; raises RedisError."""
    return [circuit.service for circuit in breaker.all_states() if circuit.state != "closed"]


@require_GET
@requires(Permission.LIVE_VIEW)
def services(request: HttpRequest) -> HttpResponse:
    rows = [
        Service(
            circuit.service,
            SERVICE_NAMES.get(circuit.service, circuit.service),
            circuit.state,
            circuit.opened_at,
            circuit.n_failures,
        )
        for circuit in breaker.all_states()
    ]
    context = {
        "services": rows,
        "columns": COLUMNS,
        "may_reset": allowed(request.user, Permission.SERVICES_RESET),
    }
    return render(request, "cockpit/services.html", context)


@require_POST
@requires(Permission.SERVICES_RESET)
def reset(request: HttpRequest) -> HttpResponse:
    """``service``: whose breaker to close, in every process."""
    user = signed_in(request)
    code = request.POST.get("service", "")
    before = {circuit.service: circuit for circuit in breaker.all_states()}.get(code)
    if before is None:
        raise Http404
    breaker.close(code)
    log.warning("breaker_reset", service=code, was=before.state, n_failures=before.n_failures, by=user.pk)
    messages.success(request, _("%(service)s is asked again.") % {"service": SERVICE_NAMES.get(code, code)})
    return redirect("cockpit:services")
