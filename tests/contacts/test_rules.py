import copy
import tomllib
from pathlib import Path

import pytest
from django.core.checks import run_checks

from apps.contacts import rules
from apps.contacts.rules import BadRulePack, all_packs, pack_for, read_pack

FOLDER = Path(rules.__file__).parent / "rule_packs"
SPAIN = tomllib.loads((FOLDER / "es.toml").read_text(encoding="utf-8"))


def test_every_pack_is_in_order_and_dated():
    packs = all_packs()
    assert set(packs) == {"", "US", "GB", "ES", "CZ"}
    assert {pack.version for pack in packs.values()} == {
        "default-2026-11-22",
        "us-2026-11-22",
        "gb-2026-11-22",
        "es-2026-11-22",
        "cz-2026-11-22",
    }


def test_an_ai_voice_needs_consent_everywhere_and_in_writing_in_the_united_states():
    assert {country: pack.needs["voice_ai"] for country, pack in all_packs().items()} == {
        "": "any",
        "US": "written",
        "GB": "any",
        "ES": "any",
        "CZ": "any",
    }


def test_nobody_is_recorded_without_being_told():
    assert {country: pack.recording for country, pack in all_packs().items()} == {
        "": "consent",
        "US": "consent",
        "GB": "announced",
        "ES": "announced",
        "CZ": "announced",
    }


def test_an_ai_says_everywhere_that_it_is_one():
    assert all(pack.says_it_is_ai for pack in all_packs().values())


def test_a_country_without_a_pack_has_the_default_and_no_country_has_none():
    assert pack_for("FR") is all_packs()[""]
    assert pack_for("") is None


def test_florida_closes_an_hour_earlier_than_the_rest():
    pack = all_packs()["US"]
    assert pack.hours_for("+13055550123").weekdays[0][0][1].hour == 20
    assert pack.hours_for("+12125550123").weekdays[0][0][1].hour == 21


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("country",), "es", "country"),
        (("version",), "new", "version"),
        (("hours", "mon"), ["9-21"], "cannot read '9-21'"),
        (("hours", "mon"), ["21:00-09:00"], "ends before it starts"),
        (("hours", "mon"), ["25:00-26:00"], "cannot read"),
        (("hours", "holidays"), ["13-40"], "cannot read 13-40"),
        (("hours", "channels"), ["fax"], "channels"),
        (("hours", "frie"), ["09:00-21:00"], "unknown frie"),
        (("consent", "voice_ai"), "perhaps", "voice_ai"),
        (("consent", "valid_days"), 0, "valid_days"),
        (("recording", "need"), "shout", "recording.need"),
        (("recording", "loud"), True, "unknown loud"),
        (("disclosure", "ai"), "whispered", "disclosure.ai"),
        (("loophole",), True, "unknown loophole"),
        (("areas",), [{"name": "X", "prefixes": ["1305"], "hours": {}}], "prefixes"),
    ],
)
def test_a_pack_with_a_mistake_is_refused_with_its_place(path, value, message):
    raw = copy.deepcopy(SPAIN)
    target = raw
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    with pytest.raises(BadRulePack, match=message):
        read_pack(raw)


@pytest.mark.parametrize(
    "missing",
    [
        ("hours",),
        ("consent",),
        ("recording",),
        ("recording", "need"),
        ("disclosure",),
        ("hours", "sun"),
        ("consent", "sms"),
        ("version",),
    ],
)
def test_a_pack_with_a_gap_is_refused(missing):
    raw = copy.deepcopy(SPAIN)
    target = raw
    for key in missing[:-1]:
        target = target[key]
    del target[missing[-1]]
    with pytest.raises(BadRulePack):
        read_pack(raw)


def test_a_bad_pack_stops_the_start(monkeypatch, tmp_path):
    (tmp_path / "us.toml").write_text('country = "US"\n', encoding="utf-8")
    monkeypatch.setattr(rules, "_FOLDER", tmp_path)
    all_packs.cache_clear()
    try:
        assert [message.id for message in run_checks() if message.id == "contacts.E001"] == ["contacts.E001"]
    finally:
        monkeypatch.undo()
        all_packs.cache_clear()
    assert not [message for message in run_checks() if message.id == "contacts.E001"]
