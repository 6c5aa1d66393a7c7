import pytest
from django.core.management import CommandError, call_command

from tests.core.test_catalogues import HELLO, PLURALS, TRANSLATED, fill, project

__all__ = ["project"]


@pytest.fixture
def here(project, settings):
    settings.BASE_DIR = project
    return project


def test_extract_translate_check_and_compile(here, capsys):
    call_command("messages", "extract")
    with pytest.raises(CommandError, match="untranslated: 'Hello"):
        call_command("messages", "check")
    fill(here, PLURALS, TRANSLATED, "cs")
    fill(here, HELLO, HELLO + "Ahoj %(name)s", "cs")
    spanish = 'msgstr[0] "%(n)s llamada"\nmsgstr[1] "%(n)s llamadas"\nmsgstr[2] "%(n)s llamadas"'
    fill(here, 'msgstr[0] ""\nmsgstr[1] ""\nmsgstr[2] ""', spanish, "es")
    fill(here, HELLO, HELLO + "Hola %(name)s", "es")
    call_command("messages", "check")
    call_command("messages", "compile")
    assert sorted(path.parent.parent.name for path in here.glob("locale/*/LC_MESSAGES/django.mo")) == ["cs", "es"]
    assert "complete in es, cs" in capsys.readouterr().out
