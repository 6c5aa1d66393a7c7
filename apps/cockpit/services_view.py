"""How the outside services stand: their circuit breakers as all processes know them, and the button that closes one."""

from dataclasses import dataclass
from datetime import datetime, timedelta

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
    f"{Carrier.TWILIO.value}-texts": gettext_lazy("Twilio, text messages"),
    f"{Carrier.TELNYX.value}-texts": gettext_lazy("Telnyx, text messages"),
    "openai_llm": gettext_lazy("OpenAI, language model"),
    "gemini_llm": gettext_lazy("Gemini, language model"),
    "gemini_speech": gettext_lazy("Gemini, second voice"),
}
_HTTP_TOOLS = "http:"  # and the host that they ask
COLUMNS = [
    Column("service", gettext_lazy("Service")),
    Column("state", gettext_lazy("State")),
    Column("n_failures", gettext_lazy("Failures in a row"), is_number=True),
    Column("retried_at", gettext_lazy("Next try")),
    Column("reset", gettext_lazy("Reset"), is_label_hidden=True),
]


@dataclass(frozen=True, slots=True)
class Service:
    """A row of the page. code: the breaker's name, as metrics and logs have it. retried_at: None unless it is open."""

    code: str
    name: str | Promise
    state: str
    n_failures: int
    retried_at: datetime | None

    @property
    def is_worth_a_reset(self) -> bool:
        return self.state != "closed" or self.n_failures > 0


def service_name(code: str) -> str:
    """What people call the service behind a breaker; its code where there is no such word."""
    if code.startswith(_HTTP_TOOLS):
        return _("HTTP tools, %(host)s") % {"host": code.removeprefix(_HTTP_TOOLS)}
    return str(SERVICE_NAMES.get(code, code))


def services_away() -> list[str]:
    """Codes of the services that are not asked now, or only tried. One question to Redis; raises RedisError."""
    return [circuit.service for circuit in breaker.all_states() if circuit.state != "closed"]


@require_GET
@requires(Permission.LIVE_VIEW)
def services(request: HttpRequest) -> HttpResponse:
    rows = [
        Service(
            circuit.service,
            service_name(circuit.service),
            circuit.state,
            circuit.n_failures,
            _retried_at(circuit),
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
    messages.success(request, _("%(service)s is asked again.") % {"service": service_name(code)})
    return redirect("cockpit:services")


def _retried_at(circuit: breaker.CircuitState) -> datetime | None:
    if circuit.state != "open" or circuit.opened_at is None:
        return None
    return circuit.opened_at + timedelta(seconds=breaker.RESET_TIMEOUT_S)
