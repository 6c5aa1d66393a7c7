"""People to call, their consents, imports of them, and the do-not-call list."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Count, QuerySet
from django.forms import ModelForm
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from import_export.admin import ExportMixin, ImportExportMixin
from import_export.formats.base_formats import CSV
from import_export.resources import ModelResource

from apps.accounts.permissions import signed_in
from apps.contacts import imports, services
from apps.contacts.forms import ImportForm
from apps.contacts.models import (
    Channel,
    Consent,
    Contact,
    ContactImport,
    ContactList,
    DncEntry,
    DncSource,
    ImportState,
    ZoneSource,
)
from apps.core.admin_site import Group
from apps.core.back_office import BackOfficeAdmin, ReadOnlyAdmin
from apps.core.phone import BadPhoneNumber, PhoneFacts, read_phone

IMPORT_LINK = (_("Import contacts"), "admin:contacts_contactimport_add")


def read_number(raw: str) -> PhoneFacts:
    """The number as typed by staff. Raises ValidationError."""
    try:
        return read_phone(raw, default_country=settings.DEFAULT_COUNTRY)
    except BadPhoneNumber as error:
        raise ValidationError(_("This is not a number that can be dialled.")) from error


class NumberForm(ModelForm[Any]):
    """Takes a number as people write it, keeps it as E.164."""

    def clean_phone(self) -> str:
        return read_number(self.cleaned_data["phone"]).e164


@admin.register(ContactList)
class ContactListAdmin(BackOfficeAdmin[ContactList]):
    group = Group.PEOPLE
    position = 1
    list_display = ("name", "n_contacts", "created_at")
    search_fields = ("name",)
    list_links = (IMPORT_LINK,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ContactList]:
        return super().get_queryset(request).annotate(total=Count("contacts"))

    @admin.display(description=_("contacts"), ordering="total")
    def n_contacts(self, contact_list: ContactList) -> SafeString:
        url = f"{reverse('admin:contacts_contact_changelist')}?contact_list__id__exact={contact_list.pk}"
        return format_html('<a href="{}">{}</a>', url, contact_list.total)  # type: ignore[attr-defined]  # annotated


class ContactForm(NumberForm):
    class Meta:
        model = Contact
        fields = ("contact_list", "phone", "time_zone", "first_name", "last_name", "email", "language", "fields")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["time_zone"].required = False
        self.fields["time_zone"].help_text = _("Left empty, it follows from the number.")

    def clean(self) -> dict[str, Any]:
        """Country and, where it is not given, the time zone follow from the number."""
        data = super().clean() or self.cleaned_data
        if data.get("phone") and ("phone" in self.changed_data or "time_zone" in self.changed_data):
            facts = read_number(data["phone"])
            self.instance.country = facts.country
            if not data.get("time_zone") or "time_zone" not in self.changed_data:
                data["time_zone"] = facts.time_zone
                self.instance.zone_source = ZoneSource.NUMBER if facts.zone_is_certain else ZoneSource.COUNTRY
            else:
                self.instance.zone_source = ZoneSource.GIVEN
        return data


class ContactResource(ModelResource):
    class Meta:
        model = Contact
        fields = (
            "contact_list__name",
            "phone",
            "first_name",
            "last_name",
            "email",
            "language",
            "country",
            "time_zone",
            "fields",
            "created_at",
        )


@admin.register(Contact)
class ContactAdmin(ExportMixin, BackOfficeAdmin[Contact]):
    group = Group.PEOPLE
    position = 2
    form = ContactForm
    resource_classes = [ContactResource]
    export_formats = [CSV]
    list_links = (IMPORT_LINK,)
    list_display = ("full_name", "phone", "contact_list", "language", "time_zone")
    list_filter = ("contact_list", "language", "country", "zone_source")
    search_fields = ("phone", "first_name", "last_name", "email")
    search_help_text = _("Name, number or e-mail")
    list_select_related = ("contact_list",)
    autocomplete_fields = ("contact_list",)
    readonly_fields = ("country", "zone_source", "created_at")
    fieldsets = (
        (None, {"fields": ("contact_list", "phone")}),
        (_("Person"), {"fields": ("first_name", "last_name", "email", "language")}),
        (
            _("Where and when"),
            {
                "fields": ("country", "time_zone", "zone_source"),
                "description": _("They decide at which hours and under which rules the person may be called."),
            },
        ),
        (_("More"), {"classes": ("collapse",), "fields": ("fields", "created_at")}),
    )

    @admin.display(description=_("name"), ordering="last_name")
    def full_name(self, contact: Contact) -> str:
        return contact.name or "–"


class DncForm(NumberForm):
    class Meta:
        model = DncEntry
        fields = ("phone", "channel", "note")


class DncResource(ModelResource):
    """A list from elsewhere: each number is read as people write it, and its consents are withdrawn."""

    class Meta:
        model = DncEntry
        import_id_fields = ("phone", "channel")
        fields = ("phone", "channel", "note", "source", "created_at")
        skip_unchanged = True
        report_skipped = True

    def before_import_row(self, row: dict[str, Any], **kwargs: Any) -> None:
        row["phone"] = read_number(str(row.get("phone") or "")).e164
        row["channel"] = row.get("channel") or Channel.VOICE
        if row["channel"] not in Channel.values:
            raise ValidationError({"channel": _("This is not a channel.")})
        row["source"] = DncSource.IMPORT
        row.pop("created_at", None)

    def after_save_instance(self, instance: DncEntry, row: Mapping[str, Any], **kwargs: Any) -> None:
        services.opt_out(phone=instance.phone, channels=[instance.channel], source=instance.source)


@admin.register(DncEntry)
class DncAdmin(ImportExportMixin, BackOfficeAdmin[DncEntry]):
    group = Group.PEOPLE
    position = 5
    form = DncForm
    resource_classes = [DncResource]
    formats = [CSV]
    list_display = ("phone", "channel", "source", "created_at", "note")
    list_filter = ("channel", "source", "created_at")
    search_fields = ("phone", "note")
    date_hierarchy = "created_at"
    raw_id_fields = ("created_by",)
    readonly_fields = ("source", "call_id", "created_by", "created_at")
    fieldsets = (
        (None, {"fields": ("phone", "channel", "note")}),
        (_("How it came here"), {"fields": ("source", "call_id", "created_by", "created_at")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: DncEntry | None = None) -> Any:
        """Whom an entry is about does not change; a wrong one is removed."""
        return (*self.readonly_fields, *(("phone", "channel") if obj is not None else ()))

    def save_model(self, request: HttpRequest, obj: DncEntry, form: Any, change: bool) -> None:
        """A new entry also withdraws the person's consents on that channel."""
        if change:
            super().save_model(request, obj, form, change)
            return
        (entry,) = services.opt_out(
            phone=obj.phone, channels=[obj.channel], source=DncSource.MANUAL, by=signed_in(request), note=obj.note
        )
        obj.pk, obj.created_at = entry.pk, entry.created_at


class ConsentForm(NumberForm):
    class Meta:
        model = Consent
        fields = ("phone", "channel", "is_written", "source", "given_at", "withdrawn_at")


@admin.register(Consent)
class ConsentAdmin(BackOfficeAdmin[Consent]):
    group = Group.PEOPLE
    position = 4
    form = ConsentForm
    list_display = ("phone", "channel", "is_written", "given_at", "withdrawn_at")
    list_filter = ("channel", "is_written", ("withdrawn_at", admin.EmptyFieldListFilter))
    search_fields = ("phone", "source")
    date_hierarchy = "given_at"
    fieldsets = (
        (None, {"fields": ("phone", "channel", "is_written", "source", "given_at")}),
        (
            _("Withdrawn"),
            {
                "fields": ("withdrawn_at",),
                "description": _("A consent is never deleted: it is withdrawn, and stays as proof of its time."),
            },
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Consent | None = None) -> Any:
        """What was agreed does not change afterwards."""
        return ("phone", "channel", "is_written", "source", "given_at") if obj is not None else ()


@admin.register(ContactImport)
class ContactImportAdmin(ReadOnlyAdmin[ContactImport]):
    """Files of people: uploaded here, loaded by a worker, and the fate of each row."""

    group = Group.PEOPLE
    position = 3
    list_display = ("file_name", "contact_list", "state", "n_added", "n_rejected", "created_at")
    list_filter = ("state", "contact_list")
    search_fields = ("file_name",)
    list_select_related = ("contact_list",)
    fields = (
        "file_name",
        "contact_list",
        "state",
        "error",
        "n_rows",
        "n_added",
        "n_rejected",
        "why_rejected",
        "report_link",
        "created_by",
        "created_at",
        "finished_at",
    )
    readonly_fields = ("error", "why_rejected", "report_link")
    list_links = (IMPORT_LINK,)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("contacts.add_contactimport")

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/report/", view(self.report_view), name="contacts_contactimport_report"),
            path("<int:pk>/cancel/", view(self.cancel_view), name="contacts_contactimport_cancel"),
            *super().get_urls(),
        ]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> Any:
        """Upload a file, for an existing list or a new one; a worker does the rest."""
        is_sent = request.method == "POST"
        form = ImportForm(request.POST, request.FILES) if is_sent else ImportForm()
        if is_sent and form.is_valid():
            job = imports.start_import(
                file=form.cleaned_data["file"], contact_list=form.target_list(), by=signed_in(request)
            )
            self.log_addition(request, job, "import")
            return HttpResponseRedirect(reverse("admin:contacts_contactimport_change", args=[job.pk]))
        context = {
            **self.admin_site.each_context(request),
            "title": _("Import contacts"),
            "opts": self.opts,
            "form": form,
        }
        return TemplateResponse(request, "admin/contacts/import.html", context, status=400 if form.errors else 200)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """While a worker is at it, the page looks again by itself."""
        response = super().change_view(request, object_id, form_url, extra_context)
        job = self.get_object(request, object_id)
        if job is not None and job.state in (ImportState.WAITING, ImportState.RUNNING):
            response["Refresh"] = "3"
        return response

    def report_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        job = self.get_object(request, str(pk))
        if job is None or not job.report or not self.has_view_permission(request, job):
            raise Http404
        name = f"import-{job.pk}-report.csv"
        return FileResponse(job.report.open("rb"), as_attachment=True, filename=name, content_type="text/csv")

    def cancel_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        if request.method != "POST" or not self.has_add_permission(request):
            raise Http404
        if imports.cancel_import(pk):
            messages.success(request, _("The import has been cancelled."))
        else:
            messages.info(request, _("The import was over already."))
        return HttpResponseRedirect(reverse("admin:contacts_contactimport_change", args=[pk]))

    @admin.display(description=_("what went wrong"))
    def error(self, job: ContactImport) -> str:
        return str(imports.error_words(job)) or "–"

    @admin.display(description=_("why rows were rejected"))
    def why_rejected(self, job: ContactImport) -> SafeString | str:
        return format_html_join("", "<p>{}: {}</p>", imports.reason_counts(job)) or "–"

    @admin.display(description=_("report"))
    def report_link(self, job: ContactImport) -> SafeString | str:
        if not job.report:
            return "–"
        url = reverse("admin:contacts_contactimport_report", args=[job.pk])
        return format_html('<a href="{}">{}</a>', url, _("Download the fate of each row (CSV)"))
