from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from apps.core import catalogues

PYTHON = """
from django.utils.translation import gettext_lazy as _, ngettext, pgettext, npgettext

def view(n):
    _("Plain")
    _("Joined "
      "over lines")
    ngettext("%(n)d call", "%(n)d calls", n)
    pgettext("verb", "Call")
    npgettext("phone", "one line", "%(n)s lines", n)
    other("Not for people")
"""
TEMPLATE = """{% load i18n %}
<p title="It's 100 % 'odd'">{% translate "Sign in" %}</p>
      {% translate "May" context "month name" %}
   {% blocktranslate trimmed count n=people|length %}
      {{ n }} person
  {% plural %}
      {{ n }} people
   {% endblocktranslate %}
{% blocktranslate %}Hello {{ name }}{% endblocktranslate %}
{{ _("Filtered")|upper }} {# translate "no" #}
{% include "x.html" with label=_("Passed on") %}
"""


def test_python_messages_of_every_kind_are_found():
    assert set(catalogues.messages_in(PYTHON, is_template=False)) == {
        ("Plain", "", ""),
        ("Joined over lines", "", ""),
        ("%(n)d call", "%(n)d calls", ""),
        ("Call", "", "verb"),
        ("one line", "%(n)s lines", "phone"),
    }


def test_template_messages_of_every_kind_are_found():
    assert set(catalogues.messages_in(TEMPLATE, is_template=True)) == {
        ("Sign in", "", ""),
        ("May", "", "month name"),
        ("%(n)s person", "%(n)s people", ""),
        ("Hello %(name)s", "", ""),
        ("Filtered", "", ""),
        ("Passed on", "", ""),
    }


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "apps").mkdir()
    (tmp_path / "config").mkdir()
    (tmp_path / "templates").mkdir()
    (tmp_path / "apps" / "code.py").write_text('_("Hello %(name)s")\nngettext("%(n)s call", "%(n)s calls", n)\n')
    return tmp_path


def extract(project: Path, language: str = "cs") -> None:
    merged = catalogues.merge(catalogues.read_catalogue(project, language), catalogues.extract(project))
    catalogues.write_catalogue(project, language, merged)


def fill(project: Path, text: str, translation: str, language: str = "cs") -> None:
    path = catalogues.catalogue_path(project, language)
    before = path.read_text()
    assert text in before
    path.write_text(before.replace(text, translation))


PLURALS = 'msgstr[0] ""\nmsgstr[1] ""\nmsgstr[2] ""\nmsgstr[3] ""'
TRANSLATED = 'msgstr[0] "%(n)s hovor"\nmsgstr[1] "%(n)s hovory"\nmsgstr[2] "%(n)s hovoru"\nmsgstr[3] "%(n)s hovorů"'
HELLO = 'msgid "Hello %(name)s"\nmsgstr "'


def test_extract_keeps_translations_adds_new_texts_and_drops_vanished_ones(project):
    extract(project)
    fill(project, PLURALS, TRANSLATED)
    (project / "apps" / "code.py").write_text('_("New")\nngettext("%(n)s call", "%(n)s calls", n)\n')
    extract(project)
    text = catalogues.catalogue_path(project, "cs").read_text()
    assert TRANSLATED in text
    assert 'msgid "New"\nmsgstr ""' in text
    assert "Hello" not in text


def test_extract_twice_changes_nothing(project):
    extract(project)
    before = catalogues.catalogue_path(project, "cs").read_bytes()
    extract(project)
    assert catalogues.catalogue_path(project, "cs").read_bytes() == before


def test_compiled_catalogue_counts_like_django(project):
    import gettext

    extract(project)
    fill(project, PLURALS, TRANSLATED)
    path = catalogues.compile_catalogue(project, "cs")
    with path.open("rb") as file:
        translations = gettext.GNUTranslations(file)
    said = [translations.ngettext("%(n)s call", "%(n)s calls", n) for n in (1, 3, 5)]
    assert said == ["%(n)s hovor", "%(n)s hovory", "%(n)s hovorů"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda text: text, "untranslated"),
        (lambda text: text.replace(HELLO, HELLO + "Ahoj %(jméno)s"), "placeholders differ"),
        (lambda text: text.replace(HELLO, HELLO + "Ahoj"), "placeholders differ"),
        (lambda text: text.replace("#, python-format\n" + HELLO, "#, fuzzy\n" + HELLO + "Ahoj %(name)s"), "fuzzy"),
        (lambda text: text + '\nmsgid "Gone"\nmsgstr "Pryč"\n', "no longer used"),
        (lambda text: text + '\n#~ msgid "Gone"\n#~ msgstr "Pryč"\n', "no longer used"),
        (lambda text: text.replace("Hello", "Hallo"), "missing"),
    ],
)
def test_check_finds_every_fault(project, change, problem):
    extract(project)
    fill(project, PLURALS, TRANSLATED)
    path = catalogues.catalogue_path(project, "cs")
    path.write_text(change(path.read_text()))
    problems = catalogues.problems(project, "cs", catalogues.extract(project))
    assert any(problem in line and ("Hello" in line or "Gone" in line) for line in problems), problems


def test_check_is_content_with_a_complete_catalogue(project):
    extract(project)
    fill(project, PLURALS, TRANSLATED)
    fill(project, HELLO, HELLO + "Ahoj %(name)s")
    assert catalogues.problems(project, "cs", catalogues.extract(project)) == []


def test_a_catalogue_with_other_plural_forms_is_refused(project):
    extract(project)
    fill(project, "nplurals=4", "nplurals=3")
    assert any("plural forms" in line for line in catalogues.problems(project, "cs", catalogues.extract(project)))


@pytest.mark.parametrize("language", ["es", "cs"])
def test_plural_forms_are_those_of_django(language):
    import django

    path = Path(django.__file__).parent / "conf" / "locale" / language / "LC_MESSAGES" / "django.po"
    with path.open("rb") as file:
        ours, theirs = catalogues.PLURALS[language], read_po(file).plural_forms
    assert ours.replace("(", "").replace(")", "").replace(" ", "") == theirs.replace("(", "").replace(")", "").replace(
        " ", ""
    )
