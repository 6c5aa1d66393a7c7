"""Contacts, their lists and imports, and the do-not-call list."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Exists, OuterRef
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.permissions import allowed, requires, signed_in
from apps.accounts.roles import Permission
from apps.contacts import consent, services
from apps.contacts.filters import ContactFilter, DncFilter
from apps.contacts.forms import OptOutForm
from apps.contacts.models import Channel, Consent, Contact, ContactList, DncEntry, DncSource
from apps.core.listing import Listing, csv_response
from apps.core.phone import mask
from apps.core.tables import Column

CONTACT_COLUMNS = (
    Column("name", gettext_lazy("Name"), ("last_name", "first_name")),
    Column("phone", gettext_lazy("Number"), ("phone",)),
    Column("list", gettext_lazy("List"), ("contact_list__name",)),
    Column("language", gettext_lazy("Language"), ("language",)),
    Column("zone", gettext_lazy("Time zone"), ("time_zone",)),
    Column("calling", gettext_lazy("Calling")),
)
LIST_COLUMNS = (
    Column("name", gettext_lazy("Name"), ("name",)),
    Column("contacts", gettext_lazy("Contacts"), ("n_contacts",), is_number=True),
    Column("created", gettext_lazy("Created"), ("created_at",)),
)
CALL_COLUMNS = (
    Column("when", gettext_lazy("When")),
    Column("outcome", gettext_lazy("Outcome")),
    Column("disposition", gettext_lazy("Disposition")),
)
DNC_COLUMNS = (
    Column("phone", gettext_lazy("Number"), ("phone",)),
    Column("channel", gettext_lazy("Channel"), ("channel",)),
    Column("source", gettext_lazy("Source"), ("source",)),
    Column("note", gettext_lazy("Note")),
    Column("when", gettext_lazy("Since"), ("created_at",)),
)


@require_GET
@requires(Permission.CONTACTS_VIEW)
def contact_list(request: HttpRequest) -> HttpResponseBase:
    on_dnc = Exists(DncEntry.objects.filter(phone=OuterRef("phone"), channel=Channel.VOICE))
    contacts = Contact.objects.select_related("contact_list").annotate(is_dnc=on_dnc)
    listing = Listing(request, contacts, columns=CONTACT_COLUMNS, default_sort="name", filterset=ContactFilter)
    if request.GET.get("format") == "csv":
        may_see = allowed(request.user, Permission.CONTACTS_UNMASK)
        return csv_response(
            _("Contacts"),
            [_("First name"), _("Last name"), _("Number"), _("List"), _("Language"), _("Time zone"), _("E-mail")],
            listing.rows.iterator(chunk_size=2000),
            lambda row: [
                row.first_name,
                row.last_name,
                row.phone if may_see else row.masked_phone,
                row.contact_list.name,
                row.get_language_display(),
                row.time_zone,
                row.email if may_see else "",
            ],
        )
    return render(request, "contacts/list.html", {"listing": listing, "page": listing.page, "tabs": tabs("list")})


@require_GET
@requires(Permission.CONTACTS_VIEW)
def lists(request: HttpRequest) -> HttpResponseBase:
    rows = ContactList.objects.annotate(n_contacts=Count("contacts"))
    listing = Listing(request, rows, columns=LIST_COLUMNS, default_sort="name")
    return render(request, "contacts/lists.html", {"listing": listing, "page": listing.page, "tabs": tabs("lists")})


@require_GET
@requires(Permission.CONTACTS_VIEW)
def contact_detail(request: HttpRequest, pk: int) -> HttpResponseBase:
    contact = get_object_or_404(Contact.objects.select_related("contact_list"), pk=pk)
    verdict = consent.check_many([contact], channel=Channel.VOICE, at=timezone.now(), is_ai=True)[contact.pk]
    calls = Paginator(contact.calls.select_related("disposition").order_by("-created_at"), 25).get_page(
        request.GET.get("page")
    )
    context = {
        "contact": contact,
        "verdict": verdict,
        "reason": consent.REASONS.get(verdict.reason, ""),
        "consents": Consent.objects.filter(phone=contact.phone).order_by("-given_at"),
        "dnc_entries": DncEntry.objects.filter(phone=contact.phone),
        "calls": calls if allowed(request.user, Permission.CALLS_VIEW) else None,
        "call_columns": CALL_COLUMNS,
        "texts": contact.messages.order_by("-created_at")[:20]
        if allowed(request.user, Permission.MESSAGES_VIEW)
        else None,
        "crumbs": [(_("Contacts"), reverse("contacts:list"))],
    }
    return render(request, "contacts/detail.html", context)


@require_POST
@requires(Permission.DNC_EDIT)
def opt_out_contact(request: HttpRequest, pk: int) -> HttpResponse:
    contact = get_object_or_404(Contact, pk=pk)
    services.opt_out(
        phone=contact.phone,
        channels=list(Channel),
        source=DncSource.MANUAL,
        by=signed_in(request),
        note=_("Contact page"),
    )
    messages.success(request, _("This number will not be contacted again on any channel."))
    return redirect("contacts:detail", pk=pk)


@require_http_methods(["GET", "POST"])
@requires(Permission.CONTACTS_VIEW)
def dnc(request: HttpRequest) -> HttpResponseBase:
    """The do-not-call list: search it, and put a number on it."""
    may_edit = allowed(request.user, Permission.DNC_EDIT)
    form = OptOutForm(request.POST or None) if may_edit else None
    if request.method == "POST" and form is not None and form.is_valid():
        added = services.opt_out(
            phone=form.cleaned_data["phone"],
            channels=form.cleaned_data["channels"],
            source=DncSource.MANUAL,
            by=signed_in(request),
            note=form.cleaned_data["note"],
        )
        messages.success(
            request,
            ngettext(
                "%(phone)s will not be contacted on %(n)d channel.",
                "%(phone)s will not be contacted on %(n)d channels.",
                len(added),
            )
            % {"phone": mask(form.cleaned_data["phone"]), "n": len(added)},
        )
        return redirect("contacts:dnc")
    listing = Listing(request, DncEntry.objects.all(), columns=DNC_COLUMNS, default_sort="-when", filterset=DncFilter)
    context = {"listing": listing, "page": listing.page, "form": form, "tabs": tabs("dnc")}
    return render(request, "contacts/dnc.html", context, status=400 if form is not None and form.errors else 200)


def tabs(current: str) -> list[dict[str, object]]:
    places = (("list", _("People")), ("lists", _("Lists")), ("imports", _("Imports")), ("dnc", _("Do-not-call")))
    return [
        {"label": label, "url": reverse(f"contacts:{name}"), "is_current": name == current} for name, label in places
    ]
