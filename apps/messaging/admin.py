"""Messages in the back office: to be read."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from apps.core.admin_site import Group
from apps.core.back_office import ReadOnlyAdmin
from apps.messaging.models import Message


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin[Message]):
    group = Group.CALLING
    position = 4
    list_display = ("created_at", "direction", "person", "excerpt", "state", "cost")
    list_filter = ("direction", "state", "keyword", "carrier", "created_at")
    search_fields = ("remote_phone", "body", "contact__first_name", "contact__last_name")
    search_help_text = _("Name, number or text")
    date_hierarchy = "created_at"
    fieldsets = (
        (None, {"fields": ("direction", "state", "remote_phone", "number", "contact", "body", "keyword", "answers")}),
        (_("Why it was written"), {"fields": ("call_link", "campaign_name", "created_by")}),
        (_("Why it was allowed"), {"fields": ("reason", "rule_version", "consent_id")}),
        (_("The carrier"), {"fields": ("carrier", "carrier_message_id", "n_parts", "cost", "error_code", "error")}),
        (_("Times"), {"fields": ("created_at", "requested_at", "sent_at", "finished_at", "expires_at")}),
    )
    readonly_fields = ("call_link",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Message]:
        return Message.objects.select_related("contact", "number", "created_by")

    @admin.display(description=_("contact"), ordering="contact__last_name")
    def person(self, message: Message) -> str:
        return str(message.contact) if message.contact else message.remote_phone

    @admin.display(description=_("text"))
    def excerpt(self, message: Message) -> str:
        return message.body if len(message.body) <= 80 else f"{message.body[:79]}…"

    @admin.display(description=_("call"))
    def call_link(self, message: Message) -> SafeString | str:
        if message.call_id is None:
            return "–"
        return format_html('<a href="{}">#{}</a>', reverse("calls:detail", args=[message.call_id]), message.call_id)
