"""Virtual agents: who speaks, through which voice AI, and what they may do."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.forms import BaseInlineFormSet, ModelForm, Script
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Language
from apps.accounts.permissions import signed_in
from apps.calls.admin import voicemail
from apps.calls.admin.languages import LanguageTabs, language_tabs
from apps.calls.admin.widgets import ExplainedCheckboxes, IndentedJSON, VoiceAIFacts
from apps.calls.models import HttpTool, ToolName, TransferTarget, VirtualAgent, VoiceAIChoice, VoiceAIFallback
from apps.calls.tools import TOOLS
from apps.calls.voice_choices import Choice, problems_of, review_problems, spoken_languages, tool_problems
from apps.core.admin_site import Group
from apps.core.back_office import BackOfficeAdmin

_CHOICE_FIELDS = ("provider", "model", "llm", "speech", *(f"voice_{code}" for code in Language.values))


def choice_of(row: VoiceAIChoice) -> Choice:
    return Choice(
        provider=row.provider,
        model=row.model,
        llm=row.llm,
        speech=row.speech,
        voices={code: getattr(row, f"voice_{code}") or "" for code in Language.values},
    )


def languages_of(agent: VirtualAgent) -> set[str]:
    return spoken_languages(agent.language, {code: getattr(agent, f"greeting_{code}") for code in Language.values})


class Beginnings(forms.CharField):
    """A list of texts, written with commas between."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value) or ""
        return [part.replace(" ", "") for part in text.replace("\n", ",").split(",") if part.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.to_python(data) != (initial or []))


class _Targets(forms.ModelMultipleChoiceField[TransferTarget]):
    def label_from_instance(self, target: TransferTarget) -> str:
        return f"{target} · {target.get_kind_display()}"


class VirtualAgentForm(ModelForm[VirtualAgent], voicemail.RecordedMessages):
    tools = forms.MultipleChoiceField(
        label=_("Tools"),
        choices=[(name, capfirst(label)) for name, label in ToolName.choices],
        widget=ExplainedCheckboxes(lambda name: (TOOLS[name].explanation, TOOLS[name].needs)),
        required=False,
    )
    transfer_targets = _Targets(
        TransferTarget.objects.filter(is_active=True),
        label=_("Transfer targets"),
        widget=ExplainedCheckboxes(lambda target: (target.instance.description, "")),
        required=False,
        help_text=VirtualAgent._meta.get_field("transfer_targets").help_text,
    )
    transfer_prefixes = Beginnings(
        label=_("Further numbers"),
        required=False,
        help_text=VirtualAgent._meta.get_field("transfer_prefixes").help_text,
    )
    http_tools = forms.ModelMultipleChoiceField(
        HttpTool.objects.filter(is_active=True),
        label=_("HTTP tools"),
        widget=ExplainedCheckboxes(lambda tool: (tool.instance.description, "")),
        required=False,
        help_text=VirtualAgent._meta.get_field("http_tools").help_text,
    )

    extracted_fields = forms.JSONField(
        label=_("Fields to extract"),
        encoder=IndentedJSON,
        required=False,
        widget=forms.Textarea(attrs={"rows": 6, "cols": 80, "spellcheck": "false"}),
        help_text=VirtualAgent._meta.get_field("extracted_fields").help_text,
    )

    class Meta:
        model = VirtualAgent
        # The sections of the form add the rest.
        fields = ("tools", "transfer_targets", "transfer_prefixes", "http_tools", "extracted_fields")
        widgets = {"qa_checklist": forms.Textarea(attrs={"rows": 5, "cols": 80})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.update(voicemail.initial_of(self.instance))

    def clean_extracted_fields(self) -> Any:
        return self.cleaned_data["extracted_fields"] or {}

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        tools = data.get("tools") or []
        targets = data.get("transfer_targets") or []
        problems = tool_problems(
            tools,
            target_kinds={target.kind for target in targets},
            prefixes=data.get("transfer_prefixes") or [],
        )
        problems |= review_problems(data.get("review_llm") or "", data.get("extracted_fields"))
        if set(data) >= {"provider", "language"}:
            voices = {code: data.get(f"voice_{code}") or "" for code in Language.values}
            facts = {field: data.get(field) or "" for field in ("provider", "model", "llm", "speech")}
            greetings = {code: data.get(f"greeting_{code}") for code in Language.values}
            problems |= problems_of(
                Choice(**facts, voices=voices),
                languages=spoken_languages(data["language"], greetings),
                uses_tools=bool(tools or data.get("http_tools")),
            )
        for field, problem in problems.items():
            self.add_error(field if field in self.fields else None, problem)
        return data


class FallbackFormSet(BaseInlineFormSet[VoiceAIFallback, VirtualAgent, ModelForm[VoiceAIFallback]]):
    """Who takes over must be able to do what the agent asks for, too."""

    def clean(self) -> None:
        super().clean()
        languages, uses_tools = languages_of(self.instance), bool(self.instance.tools)
        for form in self.forms:
            if not form.cleaned_data or form.cleaned_data.get("DELETE") or not form.is_valid():
                continue
            problems = problems_of(choice_of(form.instance), languages=languages, uses_tools=uses_tools)
            for field, problem in problems.items():
                form.add_error(field if field in form.fields else None, problem)


class VoiceAIFallbackInline(admin.StackedInline[VoiceAIFallback, VirtualAgent]):
    model = VoiceAIFallback
    formset = FallbackFormSet
    extra = 0
    verbose_name_plural = _("When it fails: who takes over, in this order")
    fields = (("position", "provider", "model"), tuple(f"voice_{code}" for code in Language.values), ("llm", "speech"))
    classes = ("voice-ai-fallbacks",)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Here no tab says the language."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        language = getattr(db_field, "language", "")
        if field is not None and language in Language.values:
            field.label = _("Voice in %(language)s") % {"language": Language(language).label}
        return field


@admin.register(VirtualAgent)
class VirtualAgentAdmin(LanguageTabs, BackOfficeAdmin[VirtualAgent]):
    group = Group.CONVERSATION
    position = 1
    form = VirtualAgentForm
    inlines = (VoiceAIFallbackInline,)
    list_display = ("name", "company", "speaks_as", "language", "voice_ais", "is_active")
    list_filter = ("is_active", "provider", "language")
    search_fields = ("name", "company", "speaks_as")
    readonly_fields = ("voice_ai_facts",)
    fieldsets: ClassVar[Any] = (
        (None, {"fields": ("name", "is_active")}),
        (
            _("Who speaks"),
            {
                "fields": ("speaks_as", "company", "language", "changes_language"),
                "description": _("How it introduces itself, and on whose behalf."),
            },
        ),
        *language_tabs(
            "greeting",
            "instructions",
            "ai_disclosure",
            "recording_notice",
            "voicemail_message",
            "voicemail_recording",
            "voice",
            description=_("Spoken to people of this language. What is missing here is taken from English."),
        ),
        (
            _("When somebody, or something, picks up"),
            {
                "fields": (("on_voicemail", "on_screener"), ("on_ivr", "on_silence"), ("is_recorded", "recorded_by")),
                "description": _("What it does once it is clear who answers."),
            },
        ),
        (
            _("What it may do"),
            {
                "fields": ("tools",),
                "description": _("During a call, by itself, whenever the conversation asks for it."),
            },
        ),
        (
            _("To whom it may give a call"),
            {"fields": ("transfer_targets", "transfer_prefixes", "last_resort_target")},
        ),
        (
            _("Services of your own"),
            {
                "fields": ("http_tools",),
                "description": _("HTTP tools are declared on a page of their own, and switched on here."),
            },
        ),
        (
            _("Voice AI"),
            {
                "fields": ("provider", "model", "llm", "speech", "voice_ai_facts"),
                "description": _(
                    "Who hears, thinks and speaks. Left empty, model and voice are the provider's usual ones. "
                    "Voices are chosen with each language above."
                ),
                "classes": ("voice-ai",),
            },
        ),
        (
            _("After the call"),
            {
                "fields": ("review_llm", "extracted_fields", "qa_checklist"),
                "description": _("A language model sums each conversation up and holds it against your checklist."),
            },
        ),
    )

    class Media(LanguageTabs.Media):
        js = (*LanguageTabs.Media.js, Script("js/admin-voice-ai.js", type="module"))
        css = {"all": (*LanguageTabs.Media.css["all"], "css/admin-voice-ai.css")}

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("fallbacks")

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        voicemail.save_messages(form.instance, form.cleaned_data, by=signed_in(request))

    @admin.display(description=_("voice AI"))
    def voice_ais(self, agent: VirtualAgent) -> str:
        """The order in which they are tried."""
        return " → ".join(choice.get_provider_display() for choice in (agent, *agent.fallbacks.all()))

    @admin.display(description=_("What they can do"))
    def voice_ai_facts(self, agent: VirtualAgent) -> SafeString:
        return format_html("{}", VoiceAIFacts().render())
