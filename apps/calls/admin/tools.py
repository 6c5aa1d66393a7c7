"""Whom a virtual agent may hand calls to, and which services of yours it may ask."""

from collections.abc import Mapping
from typing import Any, ClassVar
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Count, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from apps.calls.admin.languages import LanguageTabs, language_tabs
from apps.calls.admin.widgets import IndentedJSON
from apps.calls.http_templates import BadToolArguments
from apps.calls.models import HttpTool, HttpToolHeader, TransferTarget
from apps.calls.models.http_tool import no_arguments
from apps.calls.models.transfer_target import Weekday
from apps.calls.services.http_tools import try_http_tool
from apps.core.admin_site import Group
from apps.core.back_office import BackOfficeAdmin


class TransferTargetForm(ModelForm[TransferTarget]):
    open_days = forms.TypedMultipleChoiceField(
        label=_("Open on"),
        choices=Weekday.choices,
        coerce=int,
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text=_("None: every day."),
    )
    time_zone = forms.ChoiceField(
        label=_("Time zone"),
        choices=lambda: [("", settings.TIME_ZONE), *((zone, zone) for zone in sorted(available_timezones()))],
        required=False,
    )

    class Meta:
        model = TransferTarget
        fields = ("open_days", "time_zone")  # the sections of the form add the rest


@admin.register(TransferTarget)
class TransferTargetAdmin(LanguageTabs, BackOfficeAdmin[TransferTarget]):
    group = Group.CONVERSATION
    position = 3
    form = TransferTargetForm
    list_display = ("name", "code", "kind", "e164", "is_active")
    list_filter = ("kind", "is_active")
    search_fields = ("code", "name_en", "name_es", "name_cs", "e164")
    ordering = ("code",)
    fieldsets: ClassVar[Any] = (
        (None, {"fields": ("code", "kind", "e164", "is_active")}),
        *language_tabs("name", "description"),
        (
            _("When somebody is there"),
            {
                "fields": ("open_days", "opens_at", "closes_at", "time_zone"),
                "description": _("Without times it is open all day. While it is closed, the AI offers a callback."),
            },
        ),
    )


class HeaderForm(ModelForm[HttpToolHeader]):
    """What was saved as a secret is never shown again: left empty, it stays."""

    new_value = forms.CharField(
        label=_("value"),
        required=False,
        max_length=1000,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "size": 60}),
    )

    class Meta:
        model = HttpToolHeader
        fields = ("name", "is_secret")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        is_new = self.instance._state.adding
        field = self.fields["new_value"]
        if not is_new and self.instance.is_secret:
            field.widget.attrs["placeholder"] = _("kept secret – type to replace it")
        elif not is_new:
            field.initial = self.instance.value

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        value = data.get("new_value") or ""
        if not value and not (self.instance.sealed and data.get("is_secret")):
            self.add_error("new_value", _("A header needs a value."))
        if any(not sign.isprintable() for sign in value):
            self.add_error("new_value", _("A header is one line of text."))
        return data

    def save(self, commit: bool = True) -> HttpToolHeader:
        header = super().save(commit=False)
        if value := self.cleaned_data.get("new_value"):
            header.keep(value)
        if commit:
            header.save()
        return header


class HeaderInline(admin.TabularInline[HttpToolHeader, HttpTool]):
    model = HttpToolHeader
    form = HeaderForm
    extra = 0
    fields = ("name", "new_value", "is_secret")


class HttpToolForm(ModelForm[HttpTool]):
    parameters = forms.JSONField(
        label=_("Arguments"),
        encoder=IndentedJSON,
        initial=no_arguments,
        widget=forms.Textarea(attrs={"rows": 12, "cols": 80, "spellcheck": "false"}),
        help_text=HttpTool._meta.get_field("parameters").help_text,
    )

    class Meta:
        model = HttpTool
        fields = ("parameters",)  # the sections of the form add the rest
        widgets = {
            "description": forms.Textarea(attrs={"rows": 3, "cols": 80}),
            "url": forms.TextInput(attrs={"size": 80, "spellcheck": "false"}),
            "max_bytes": forms.NumberInput(attrs={"size": 10}),
            "success_text": forms.Textarea(attrs={"rows": 3, "cols": 80}),
            "failure_text": forms.Textarea(attrs={"rows": 2, "cols": 80}),
        }


class TryForm(forms.Form):
    arguments = forms.JSONField(
        label=_("Arguments"),
        widget=forms.Textarea(attrs={"rows": 6, "cols": 80, "spellcheck": "false"}),
        help_text=_("As the AI would give them, in JSON."),
    )

    def clean_arguments(self) -> dict[str, Any]:
        arguments = self.cleaned_data["arguments"]
        if not isinstance(arguments, dict):
            raise ValidationError(_("A JSON object, in braces."))
        return arguments


@admin.register(HttpTool)
class HttpToolAdmin(BackOfficeAdmin[HttpTool]):
    group = Group.CONVERSATION
    position = 4
    list_display = ("name", "method", "url", "used_by", "is_active")
    list_filter = ("method", "is_active")
    search_fields = ("name", "description", "url")
    form = HttpToolForm
    inlines = (HeaderInline,)
    readonly_fields = ("try_link",)
    fieldsets = (
        (None, {"fields": ("name", "description", "is_active", "try_link")}),
        (
            _("The request"),
            {
                "fields": ("method", "url", "parameters", ("timeout_s", "max_bytes")),
                "description": _(
                    "Arguments come from a conversation with a stranger: they reach path, query and body only. "
                    "Redirects are not followed, private addresses not reached, and nothing is repeated."
                ),
            },
        ),
        (
            _("The answer"),
            {
                "fields": ("success_text", "failure_text"),
                "description": _("What the AI gets to read; it tells the person in its own words."),
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[HttpTool]:
        return HttpTool.objects.annotate(n_agents=Count("virtual_agents"))

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.try_view)
        return [path("<int:pk>/try/", view, name="calls_httptool_try"), *super().get_urls()]

    @admin.display(description=_("virtual agents"), ordering="n_agents")
    def used_by(self, tool: HttpTool) -> int:
        return int(tool.n_agents)  # type: ignore[attr-defined]  # annotated above

    @admin.display(description=_("try it"))
    def try_link(self, tool: HttpTool) -> SafeString | str:
        if tool._state.adding:
            return str(_("Save it first."))
        url = reverse("admin:calls_httptool_try", args=[tool.pk])
        return format_html('<a class="button" href="{}">{}</a>', url, _("Try it with sample arguments"))

    def try_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Ask the service for real, and show what the AI would get to read."""
        tool = get_object_or_404(HttpTool.objects.prefetch_related("headers"), pk=pk)
        if not self.has_change_permission(request, tool):
            raise PermissionDenied
        form = TryForm(request.POST or None, initial={"arguments": sample_arguments(tool.parameters)})
        used, problem = None, ""
        if request.method == "POST" and form.is_valid():
            try:
                used = try_http_tool(tool, form.cleaned_data["arguments"])
            except BadToolArguments as error:
                problem = str(error)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Try %(name)s") % {"name": tool.name},
            "opts": self.opts,
            "tool": tool,
            "form": form,
            "used": used,
            "problem": problem,
        }
        return TemplateResponse(request, "admin/calls/try_http_tool.html", context)


def sample_arguments(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Something of the right type for every argument, as a start."""
    samples: dict[str, Any] = {"string": "", "integer": 1, "number": 1.5, "boolean": True, "array": [], "object": {}}
    found = {}
    for name, part in schema.get("properties", {}).items():
        choices = part.get("enum") or part.get("examples") if isinstance(part, dict) else None
        kind = part.get("type", "string") if isinstance(part, dict) else "string"
        found[name] = choices[0] if choices else samples.get(kind if isinstance(kind, str) else "string", "")
    return found
