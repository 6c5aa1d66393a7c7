"""Made-up content for /styleguide/: enough of everything to see each part of the design system at work."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from django import forms
from django.conf import settings
from django.core.paginator import Paginator
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.cockpit.tones import CHOICES
from apps.core.tables import Column, sort_fields

_COLUMNS = [
    Column("name", _("Name"), sort=("name",)),
    Column("state", _("State")),
    Column("phone", _("Phone")),
    Column("attempts", _("Attempts"), sort=("attempts",), is_number=True),
    Column("acts", _("Actions"), is_label_hidden=True),
]


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    state: str
    phone: str
    attempts: int


@dataclass(frozen=True, slots=True)
class _Spoken:
    speaker: str
    text: str
    started_ms: int
    was_interrupted: bool = False
    language: str = "en"
    item_id: str = ""


class _SampleForm(forms.Form):
    name = forms.CharField(label=_("Name"), help_text=_("As people will see it."))
    language = forms.ChoiceField(label=_("Language"), choices=[("en", "English"), ("es", "Español"), ("cs", "Čeština")])
    note = forms.CharField(label=_("Note"), widget=forms.Textarea, required=False)
    days = forms.MultipleChoiceField(
        label=_("Days"),
        choices=[("0", _("Monday")), ("1", _("Tuesday")), ("2", _("Wednesday"))],
        widget=forms.CheckboxSelectMultiple,
    )
    is_active = forms.BooleanField(label=_("In use"), required=False, help_text=_("Others stop seeing it at once."))
    file = forms.FileField(label=_("File"), required=False)


def context(request: HttpRequest) -> dict[str, object]:
    now = timezone.now()
    rows = [
        _Row("Ana García López", "dialling", "+34911234567", 1),
        _Row("Bořivoj Nejezchleba", "callback", "+420212345678", 2),
        _Row("Casey Morgan", "blocked", "+12025550123", 0),
    ]
    sort, fields = sort_fields(_COLUMNS, request.GET.get("sort", ""), default="name")
    rows.sort(key=lambda row: str(getattr(row, fields[0].removeprefix("-"))), reverse=fields[0].startswith("-"))
    return {
        "columns": _COLUMNS,
        "rows": rows,
        "sort": sort,
        "page_obj": Paginator(range(4812), 50).get_page(request.GET.get("page", 2)),
        "states": [(kind, choices.values) for kind, choices in CHOICES.items()],
        "form": _SampleForm(initial={"name": "Autumn renewal"}),
        "bad_form": _SampleForm({"name": "", "language": "en"}),
        "chips": [
            {"label": _("outcome"), "value": _("busy"), "remove_url": "?"},
            {"label": _("campaign"), "value": "Autumn renewal", "remove_url": "?"},
        ],
        "tabs": [
            {"label": _("Now"), "url": "?", "is_current": True, "n": None},
            {"label": _("People"), "url": "?", "is_current": False, "n": 4812},
            {"label": _("Results"), "url": "?", "is_current": False, "n": None},
        ],
        "crumbs": [(_("Campaigns"), "?")],
        "turns": [
            _Spoken("ai", "Hello Ana, this is Ada, an AI calling for Northwind. Is now a good moment?", 400),
            _Spoken("caller", "Who? I'm driving, could you…", 4200),
            _Spoken("ai", "Of course. When would it suit you better? I could call", 6900, was_interrupted=True),
            _Spoken("caller", "Tomorrow at three.", 9300),
        ],
        "timeline": [
            {
                "at": now - timedelta(seconds=42),
                "icon": "send",
                "tone": "info",
                "title": _("Asked the carrier"),
                "text": "",
            },
            {
                "at": now - timedelta(seconds=38),
                "icon": "phone-calling",
                "tone": "warn",
                "title": _("Ringing"),
                "text": "",
            },
            {
                "at": now - timedelta(seconds=13),
                "icon": "phone-off",
                "tone": "bad",
                "title": _("Carrier says: no answer after 25 s"),
                "text": _("Will be tried again in an hour."),
            },
        ],
        "since": now - timedelta(seconds=187),
        "icons": icons_in_sprite(),
    }


def icons_in_sprite() -> list[str]:
    """The names that {% icon %} knows."""
    return (Path(settings.BASE_DIR) / "static" / "icons.txt").read_text(encoding="utf-8").split()
