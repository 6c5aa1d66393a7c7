"""Texts in several languages, a tab each."""

from typing import Any

from django.forms import Script
from django.http import HttpRequest
from django.utils.text import capfirst

from apps.accounts.models import Language


def language_tabs(*fields: str, description: Any = "") -> list[tuple[Any, dict[str, Any]]]:
    """A section of the form for each language; admin-languages.js makes tabs of them, and says what is missing."""
    return [
        (
            name,
            {
                "fields": tuple(f"{field}_{code}" for field in fields),
                "classes": ("language-tab", f"language-tab-{code}"),
                "description": description if code == Language.ENGLISH else "",
            },
        )
        for code, name in Language.choices
    ]


class LanguageTabs:
    """The form of a model with texts in several languages: the tab says the language, the label need not."""

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)  # type: ignore[misc]  # of ModelAdmin
        original = getattr(db_field, "translated_field", None)
        if field is not None and original is not None:
            field.label = capfirst(original.verbose_name)
        return field

    class Media:
        js: Any = (Script("js/admin-languages.js", type="module"),)
        css: Any = {"all": ("css/admin-languages.css",)}
