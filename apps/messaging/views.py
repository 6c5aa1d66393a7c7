"""The list of text messages, and sending one."""

from django.contrib import messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from apps.accounts.permissions import allowed, requires, signed_in
from apps.accounts.roles import Permission
from apps.contacts import consent
from apps.contacts.models import Channel, Contact
from apps.core.listing import Listing, csv_response
from apps.core.tables import Column
from apps.messaging import selectors
from apps.messaging.filters import MessageFilter
from apps.messaging.forms import TextForm
from apps.messaging.models import Message
from apps.messaging.services.sending import send_text
from apps.messaging.states import MessageState

COLUMNS = (
    Column("when", gettext_lazy("When"), ("created_at",)),
    Column("contact", gettext_lazy("Contact"), ("contact__last_name", "contact__first_name")),
    Column("text", gettext_lazy("Text")),
    Column("state", gettext_lazy("State"), ("state",)),
    Column("number", gettext_lazy("Our number"), ("number__e164",)),
    Column("cost", gettext_lazy("Cost (USD)"), ("cost",), is_number=True),
)


@require_GET
@requires(Permission.MESSAGES_VIEW)
def message_list(request: HttpRequest) -> HttpResponseBase:
    """All messages the visitor may see; ``?format=csv`` gives exactly what is listed."""
    rows = selectors.messages_visible_to(signed_in(request))
    listing = Listing(request, rows, columns=COLUMNS, default_sort="-when", filterset=MessageFilter)
    if request.GET.get("format") == "csv":
        may_see = allowed(request.user, Permission.CONTACTS_UNMASK)
        return csv_response(
            _("Messages"),
            [*(str(column.label) for column in COLUMNS), _("Direction"), _("Number")],
            listing.rows.iterator(chunk_size=2000),
            lambda row: _cells(row, may_see=may_see),
        )
    return render(request, "messaging/list.html", {"listing": listing, "page": listing.page})


@require_http_methods(["GET", "POST"])
@requires(Permission.MESSAGES_SEND)
def send_to_contact(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Write to one person. Whether we may is said before, and decided when it is sent."""
    contact = get_object_or_404(Contact.objects.select_related("contact_list"), pk=pk)
    form = TextForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        message = send_text(
            to=contact.phone,
            body=form.cleaned_data["body"],
            contact=contact,
            number=form.cleaned_data["number"],
            by=signed_in(request),
        )
        if message.state == MessageState.REFUSED:
            messages.error(request, _("Not sent: %(reason)s") % {"reason": consent.REASONS[message.reason]})
        else:
            messages.success(request, _("The message is being sent."))
        return redirect("contacts:detail", pk=pk)
    verdict = consent.check(contact, channel=Channel.SMS, at=timezone.now(), is_ai=False)
    context = {
        "contact": contact,
        "form": form,
        "verdict": verdict,
        "reason": consent.REASONS.get(verdict.reason, ""),
        "crumbs": [
            (_("Contacts"), reverse("contacts:list")),
            (str(contact), reverse("contacts:detail", args=[pk])),
        ],
    }
    return render(request, "messaging/send.html", context, status=400 if form.errors else 200)


def _cells(message: Message, *, may_see: bool) -> list[object]:
    return [
        message.created_at.isoformat(timespec="seconds"),
        message.contact.name if message.contact else "",
        message.body,
        message.get_state_display(),
        message.number.e164 if message.number else "",
        message.cost,
        message.get_direction_display(),
        message.remote_phone if may_see else message.masked_phone,
    ]
