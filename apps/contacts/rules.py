"""Calling rules by country: versioned data in rule_packs/, read and checked once; pure.

A pack may be tightened by a campaign's own calling windows; nothing loosens it but a new pack with a new version.
"""

import re
import tomllib
from dataclasses import dataclass
from datetime import time
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, cast, get_args

from apps.contacts.hours import MIDNIGHT_AFTER, OpeningHours, Span

Need = Literal["none", "any", "written"]
# What it takes to record a call: nothing, that the opening says so, or that it also says how to refuse.
RecordingNeed = Literal["none", "announced", "consent"]
# What consent is asked for: a person calling, an AI calling, and the two kinds of message.
USES = ("voice", "voice_ai", "sms", "email")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FOLDER = Path(__file__).parent / "rule_packs"
_HOLIDAY = re.compile(r"(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])|easter[+-][0-9]{1,2}")
_SPAN = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-(?:([01][0-9]|2[0-3]):([0-5][0-9])|(24):(00))")


class BadRulePack(ValueError):
    """A pack that cannot be trusted; the start stops on it."""


@dataclass(frozen=True, slots=True)
class Area:
    """A part of a country with stricter hours, known by how its numbers start (E.164)."""

    name: str
    prefixes: tuple[str, ...]
    hours: OpeningHours


@dataclass(frozen=True, slots=True)
class RulePack:
    """country: ISO 3166, "" for the pack of all others. version: stored with each attempt it allowed.

    recording: what it takes to record a call. Whoever refuses is not recorded, whatever it says. says_it_is_ai: an AI
    must say that it is one, at the start.
    """

    country: str
    version: str
    hours: OpeningHours
    channels_with_hours: frozenset[str]
    needs: dict[str, Need]
    consent_valid_days: int | None
    recording: RecordingNeed
    says_it_is_ai: bool
    areas: tuple[Area, ...]

    def hours_for(self, e164: str) -> OpeningHours:
        """The hours of the number's area, else of the country."""
        return next((area.hours for area in self.areas if e164.startswith(area.prefixes)), self.hours)


def pack_for(country: str) -> RulePack | None:
    """The country's pack, else the pack of all others; None if the country is not known."""
    if not country:
        return None
    packs = all_packs()
    return packs.get(country, packs[""])


@lru_cache(maxsize=1)
def all_packs() -> dict[str, RulePack]:
    """Every pack by country. Raises BadRulePack, naming the file, if one of them is not in order."""
    packs: dict[str, RulePack] = {}
    for path in sorted(_FOLDER.glob("*.toml")):
        try:
            pack = read_pack(tomllib.loads(path.read_text(encoding="utf-8")))
        except (tomllib.TOMLDecodeError, BadRulePack) as error:
            raise BadRulePack(f"{path.name}: {error}") from error
        if pack.country in packs or pack.country.lower() != path.stem.replace("default", ""):
            raise BadRulePack(f"{path.name}: country {pack.country!r} is given twice or does not match the file's name")
        packs[pack.country] = pack
    if "" not in packs:
        raise BadRulePack("default.toml is missing")
    return packs


def read_pack(raw: dict[str, Any]) -> RulePack:
    """Check a pack's data and give it its types. Raises BadRulePack, also for an unknown key: a typo is no gap."""
    _only(raw, {"country", "version", "hours", "consent", "recording", "disclosure", "areas"}, "pack")
    country, version = raw.get("country"), raw.get("version")
    if not isinstance(country, str) or not re.fullmatch(r"([A-Z]{2})?", country):
        raise BadRulePack(f"country must be two capital letters or empty, not {country!r}")
    if not isinstance(version, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(\.[0-9]+)?", version):
        raise BadRulePack(f"version must be a date such as 2026-11-01, not {version!r}")
    hours_raw = _table(raw, "hours")
    channels = hours_raw.get("channels")
    if not isinstance(channels, list) or not set(channels) <= {"voice", "sms", "email"}:
        raise BadRulePack(f"hours.channels must name voice, sms or email, not {channels!r}")
    consent_raw = _table(raw, "consent")
    _only(consent_raw, {*USES, "valid_days"}, "consent")
    valid_days = consent_raw.get("valid_days")
    if valid_days is not None and (type(valid_days) is not int or valid_days < 1):
        raise BadRulePack(f"consent.valid_days must be a number of days, not {valid_days!r}")
    hours = _hours(hours_raw)
    return RulePack(
        country=country,
        version=f"{country.lower() or 'default'}-{version}",
        hours=hours,
        channels_with_hours=frozenset(channels),
        needs={use: _need(consent_raw, use) for use in USES},
        consent_valid_days=valid_days,
        recording=_recording(_table(raw, "recording")),
        says_it_is_ai=_disclosure(_table(raw, "disclosure")),
        areas=tuple(_area(area, hours) for area in raw.get("areas", [])),
    )


def _only(table: dict[str, Any], known: set[str], where: str) -> None:
    if unknown := sorted(set(table) - known):
        raise BadRulePack(f"{where}: unknown {', '.join(unknown)}")


def _table(raw: dict[str, Any], name: str) -> dict[str, Any]:
    table = raw.get(name)
    if not isinstance(table, dict):
        raise BadRulePack(f"[{name}] is missing")
    return table


def _need(table: dict[str, Any], use: str) -> Need:
    value = table.get(use)
    if value not in get_args(Need):
        raise BadRulePack(f"consent.{use} must be none, any or written, not {value!r}")
    return cast(Need, value)


def _recording(table: dict[str, Any]) -> RecordingNeed:
    _only(table, {"need"}, "recording")
    value = table.get("need")
    if value not in get_args(RecordingNeed):
        raise BadRulePack(f"recording.need must be none, announced or consent, not {value!r}")
    return cast(RecordingNeed, value)


def _disclosure(table: dict[str, Any]) -> bool:
    _only(table, {"ai"}, "disclosure")
    value = table.get("ai")
    if value not in {"required", "free"}:
        raise BadRulePack(f"disclosure.ai must be required or free, not {value!r}")
    return bool(value == "required")


def _hours(raw: dict[str, Any]) -> OpeningHours:
    _only(raw, {*_DAYS, "channels", "holidays"}, "hours")
    if missing := [day for day in _DAYS if day not in raw]:
        raise BadRulePack(f"hours: {', '.join(missing)} missing; a closed day is an empty list")
    holidays = raw.get("holidays", [])
    if bad := [day for day in holidays if not _HOLIDAY.fullmatch(day)]:
        raise BadRulePack(f"hours.holidays: cannot read {', '.join(bad)}")
    return OpeningHours(tuple(tuple(_span(text) for text in raw[day]) for day in _DAYS), frozenset(holidays))


def _span(text: str) -> Span:
    match = _SPAN.fullmatch(text)
    if match is None:
        raise BadRulePack(f"hours: cannot read {text!r}; write 08:00-21:00")
    start = time(int(match[1]), int(match[2]))
    end = MIDNIGHT_AFTER if match[5] else time(int(match[3]), int(match[4]))
    if end <= start:
        raise BadRulePack(f"hours: {text} ends before it starts")
    return start, end


def _area(raw: dict[str, Any], country_hours: OpeningHours) -> Area:
    _only(raw, {"name", "prefixes", "hours"}, "areas")
    prefixes = raw.get("prefixes")
    if not raw.get("name") or not prefixes or not all(re.fullmatch(r"\+[1-9][0-9]+", prefix) for prefix in prefixes):
        raise BadRulePack("areas: each needs a name and prefixes such as +1305")
    hours_raw = {"holidays": sorted(country_hours.holidays), **_table(raw, "hours")}
    return Area(raw["name"], tuple(prefixes), _hours(hours_raw))
