"""Parts of forms that explain what is chosen in them."""

import json
from collections.abc import Callable
from typing import Any

from django import forms
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from apps.accounts.models import Language
from apps.calls.models import Provider
from apps.calls.voice_ai.base import ANY_LANGUAGE
from apps.calls.voice_ai.capabilities import CAPABILITIES
from apps.calls.voice_choices import LLM_SERVICES, SPEECH_SERVICES

# A choice's value → what it does, and what it needs.
Explain = Callable[[Any], tuple[object, object]]


class ExplainedCheckboxes(forms.CheckboxSelectMultiple):
    """A list to tick, each with a sentence on what it does and on what must be set up for it."""

    template_name = "admin/calls/explained_checkboxes.html"

    def __init__(self, explain: Explain) -> None:
        super().__init__()
        self._explain = explain

    def _render(self, template_name: str, context: Any, renderer: Any = None) -> SafeString:
        return render_to_string(template_name, context)  # a template of ours, not of Django's forms

    def create_option(self, name: str, value: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        option = super().create_option(name, value, *args, **kwargs)
        option["explanation"], option["needs"] = self._explain(value)
        return option


class IndentedJSON(json.JSONEncoder):
    """As people write it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "indent": 2, "sort_keys": False})


class VoiceAIFacts:
    """What each provider can do: for people as a table, for admin-voice-ai.js as data."""

    def render(self) -> SafeString:
        providers = [
            {
                "name": Provider(code).label,
                "models": ", ".join(facts.models),
                "speaks": ", ".join(str(Language(language).label) for language in sorted(facts.speaks)),
                "is_pipeline": facts.is_pipeline,
                "tools": facts.tools,
            }
            for code, facts in CAPABILITIES.items()
        ]
        return render_to_string("admin/calls/voice_ai_facts.html", {"providers": providers, "data": self.data()})

    def data(self) -> dict[str, Any]:
        """provider → models, voices by language, and whether language model and second voice mean anything to it."""
        return {
            "any": ANY_LANGUAGE,
            "providers": {
                code: {
                    "models": list(facts.models),
                    "voices": {language: list(voices) for language, voices in facts.voices.items()},
                    "isPipeline": facts.is_pipeline,
                }
                for code, facts in CAPABILITIES.items()
            },
            "llms": [f"{service}:" for service in LLM_SERVICES],
            "speech": [f"{service}:" for service in SPEECH_SERVICES],
        }
