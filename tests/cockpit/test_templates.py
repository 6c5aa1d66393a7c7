"""What the strict policy and the icon file ask of every template and script."""

import re
from pathlib import Path

import pytest
from django.conf import settings

from apps.cockpit import tones

ROOT = Path(settings.BASE_DIR)
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
SCRIPTS = sorted((ROOT / "static" / "js").rglob("*.js"))
SPRITE = set(re.findall(r'<symbol id="([\w-]+)"', (ROOT / "static" / "icons.svg").read_text(encoding="utf-8")))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_no_inline_style_script_or_handler(template):
    """Papers for the printer (templates/reports) and mails are no web pages."""
    text = template.read_text(encoding="utf-8")
    assert not re.search(r"\sstyle=", text)
    assert not re.search(r"<style[\s>]", text)
    assert not re.search(r"\son\w+=", text)
    assert not re.search(r"<script(?![^>]*\ssrc=)[^>]*>", text)
    assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", text), "everything is served from here"


def test_every_icon_that_is_named_is_there():
    named = set()
    for template in TEMPLATES:
        text = template.read_text(encoding="utf-8")
        named |= set(re.findall(r'{% icon "([\w-]+)"', text))
        named |= set(re.findall(r'icon="([\w-]+)"', text))
    named |= {look.icon for looks in tones.LOOKS.values() for look in looks.values()}
    assert len(named) > 40, "the expressions above no longer find them"
    assert named - SPRITE == set()


def test_every_state_has_a_look():
    missing = [
        f"{kind}:{code}"
        for kind, choices in tones.CHOICES.items()
        for code in choices.values
        if code not in tones.LOOKS[kind]
    ]
    assert missing == []


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_make_no_markup_and_no_words(script):
    """Markup comes from templates, words from data attributes; a style attribute would break the policy."""
    text = script.read_text(encoding="utf-8")
    assert "innerHTML" not in text
    assert "insertAdjacentHTML" not in text
    assert 'setAttribute("style"' not in text
    assert "eval(" not in text
