"""Every text a person may read has its Spanish and Czech."""

import ast
from pathlib import Path

import pytest
from django.conf import settings

from apps.core import catalogues

ROOT = Path(settings.BASE_DIR)
LANGUAGES = [code for code, _name in settings.LANGUAGES if code != "en"]


@pytest.fixture(scope="module")
def found():
    messages = catalogues.extract(ROOT)
    assert len(messages) > 200, "the extraction looks at nothing"
    return messages


def test_every_language_offered_has_a_catalogue():
    assert set(LANGUAGES) == set(catalogues.PLURALS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_missing_untranslated_fuzzy_or_left_over(found, language):
    problems = catalogues.problems(ROOT, language, found)
    assert problems == [], f"{len(problems)} problems; run `manage.py messages extract` and translate"


def test_no_text_is_put_together_inside_gettext():
    """What is joined or formatted before gettext sees it can never be found in a catalogue."""
    offenders = []
    for path in catalogues.sources(ROOT):
        if path.suffix != ".py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in catalogues.KEYWORDS
                and node.args
            ):
                texts = node.args[1:2] if node.func.id.startswith(("pgettext", "npgettext")) else node.args[:1]
                if any(not (isinstance(text, ast.Constant) and isinstance(text.value, str)) for text in texts):
                    offenders.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert offenders == []
