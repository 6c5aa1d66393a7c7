"""What calls are made with, and what they cost."""

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from import_export.admin import ImportExportMixin
from import_export.formats.base_formats import CSV
from import_export.resources import ModelResource

from apps.accounts.models import Language
from apps.calls.admin.languages import LanguageTabs, language_tabs
from apps.calls.models import (
    CostItem,
    Disposition,
    Number,
    Price,
)
from apps.core.admin_site import Group
from apps.core.back_office import BackOfficeAdmin, ReadOnlyAdmin


class DispositionResource(ModelResource):
    class Meta:
        model = Disposition
        import_id_fields = ("code",)
        fields = (
            "code",
            *(f"name_{code}" for code in Language.values),
            *(f"description_{code}" for code in Language.values),
            "is_success",
            "is_active",
            "position",
        )
        skip_unchanged = True
        report_skipped = True
        use_bulk = False


@admin.register(Disposition)
class DispositionAdmin(LanguageTabs, ImportExportMixin, BackOfficeAdmin[Disposition]):
    group = Group.CONVERSATION
    position = 2
    resource_classes = [DispositionResource]
    formats = [CSV]
    list_display = ("name", "code", "is_success", "is_active", "position")
    list_filter = ("is_success", "is_active")
    search_fields = ("code", "name_en", "name_es", "name_cs")
    ordering = ("position", "code")
    fieldsets: ClassVar[Any] = (
        (None, {"fields": ("code", "is_success", "is_active", "position")}),
        *language_tabs("name", "description"),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Disposition | None = None) -> Any:
        """The code is what past calls, reports and programs know it by."""
        return ("code",) if obj is not None else ()


@admin.register(Number)
class NumberAdmin(BackOfficeAdmin[Number]):
    group = Group.CALLING
    position = 3
    list_display = ("e164", "label", "carrier", "route", "is_active")
    list_filter = ("carrier", "route", "is_active")
    search_fields = ("e164", "label")
    fieldsets = (
        (None, {"fields": ("e164", "carrier", "label", "is_active")}),
        (
            _("When somebody calls it"),
            {
                "fields": ("route", "virtual_agent", "target", "language"),
                "description": _("A call to this number finds its contact by the caller's number."),
            },
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Number | None = None) -> Any:
        return ("e164", "carrier") if obj is not None else ()


class PriceResource(ModelResource):
    class Meta:
        model = Price
        import_id_fields = ("service", "model", "part", "valid_from")
        fields = ("service", "model", "part", "unit", "amount", "valid_from")
        skip_unchanged = True
        report_skipped = True


@admin.register(Price)
class PriceAdmin(ImportExportMixin, BackOfficeAdmin[Price]):
    """A new price is a new row: past calls keep what they cost."""

    group = Group.MONEY
    position = 1
    resource_classes = [PriceResource]
    formats = [CSV]
    list_display = ("service", "model", "part", "amount", "unit", "valid_from")
    list_filter = ("service", "part", "unit")
    search_fields = ("service", "model")
    date_hierarchy = "valid_from"
    fieldsets = (
        (None, {"fields": ("service", "model", "part")}),
        (
            _("Price"),
            {
                "fields": ("amount", "unit", "valid_from"),
                "description": _("Of two prices for the same thing the newer one counts, from its day on."),
            },
        ),
    )


@admin.register(CostItem)
class CostItemAdmin(ReadOnlyAdmin[CostItem]):
    group = Group.MONEY
    position = 2
    list_display = ("call_link", "service", "part", "quantity", "amount")
    list_filter = ("service", "part")
    search_fields = ("=call__id",)
    fields = ("call_link", "service", "model", "part", "quantity", "amount")

    @admin.display(description=_("call"), ordering="call_id")
    def call_link(self, item: CostItem) -> SafeString:
        return format_html(
            '<a href="{}">#{}</a>', reverse("admin:calls_call_change", args=[item.call_id]), item.call_id
        )
