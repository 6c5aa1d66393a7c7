"""Importing contacts: the form, what is happening, and what became of each row."""

from django.contrib import messages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.permissions import requires, signed_in
from apps.accounts.roles import Permission
from apps.contacts import imports
from apps.contacts.forms import ImportForm
from apps.contacts.models import ContactImport, ImportState
from apps.contacts.views import tabs
from apps.core.listing import Listing
from apps.core.tables import Column

IMPORT_COLUMNS = (
    Column("file", gettext_lazy("File"), ("file_name",)),
    Column("list", gettext_lazy("List"), ("contact_list__name",)),
    Column("state", gettext_lazy("State"), ("state",)),
    Column("added", gettext_lazy("Added"), ("n_added",), is_number=True),
    Column("rejected", gettext_lazy("Rejected"), ("n_rejected",), is_number=True),
    Column("when", gettext_lazy("When"), ("created_at",)),
)


@require_http_methods(["GET", "POST"])
@requires(Permission.CONTACTS_IMPORT)
def import_new(request: HttpRequest) -> HttpResponseBase:
    form = ImportForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        job = imports.start_import(
            file=form.cleaned_data["file"], contact_list=form.target_list(), by=signed_in(request)
        )
        return redirect("contacts:import", pk=job.pk)
    context = {"form": form, "crumbs": [(_("Contacts"), reverse("contacts:list"))]}
    return render(request, "contacts/import_new.html", context, status=400 if form.errors else 200)


@require_GET
@requires(Permission.CONTACTS_VIEW)
def import_list(request: HttpRequest) -> HttpResponseBase:
    rows = ContactImport.objects.select_related("contact_list")
    listing = Listing(request, rows, columns=IMPORT_COLUMNS, default_sort="-when")
    return render(request, "contacts/imports.html", {"listing": listing, "page": listing.page, "tabs": tabs("imports")})


@require_GET
@requires(Permission.CONTACTS_VIEW)
def import_detail(request: HttpRequest, pk: int) -> HttpResponseBase:
    """One import; while it runs the page asks again for its inner part."""
    job = get_object_or_404(ContactImport.objects.select_related("contact_list", "created_by"), pk=pk)
    context = {
        "job": job,
        "is_running": job.state in (ImportState.WAITING, ImportState.RUNNING),
        "reasons": imports.reason_counts(job),
        "error": imports.error_words(job),
        "crumbs": [(_("Contacts"), reverse("contacts:list")), (_("Imports"), reverse("contacts:imports"))],
    }
    is_part = request.headers.get("HX-Request") == "true"
    return render(request, "contacts/_import.html" if is_part else "contacts/import.html", context)


@require_POST
@requires(Permission.CONTACTS_IMPORT)
def import_cancel(request: HttpRequest, pk: int) -> HttpResponse:
    job = get_object_or_404(ContactImport, pk=pk)
    if imports.cancel_import(job.pk):
        messages.success(request, _("The import is being cancelled. Nothing of the file is kept."))
    else:
        messages.info(request, _("The import was over already."))
    return redirect("contacts:import", pk=pk)


@require_GET
@requires(Permission.CONTACTS_IMPORT)
def import_report(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The fate of each row, as CSV."""
    job = get_object_or_404(ContactImport, pk=pk)
    if not job.report:
        raise Http404
    return FileResponse(
        job.report.open("rb"),
        as_attachment=True,
        filename=f"import-{job.pk}-report.csv",
        content_type="text/csv; charset=utf-8",
    )
