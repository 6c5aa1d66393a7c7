from datetime import datetime, timedelta, timezone

import pytest

from apps.sandbox.voice_ai.toolbox import Matter, Tool, closest_code, toolbox

LOCAL = timezone(timedelta(hours=1))
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=LOCAL)
AT = datetime(2026, 11, 23, 15, 0, tzinfo=LOCAL)


def matter(outcome="callback", at=AT):
    return Matter(outcome, at, NOW if at.tzinfo else NOW.replace(tzinfo=None), "cs", "Zavolejte zítra.")


def filled(kind, about, name="at", required=True, **options):
    schema = {"type": "object", "properties": {name: about}, "required": [name] if required else []}
    return Tool(kind, "tool", schema).arguments(matter(**options)).get(name)


@pytest.mark.parametrize(
    ("name", "about", "expected"),
    [
        ("at", {"type": "string", "format": "date-time"}, "2026-11-23T15:00:00+01:00"),
        ("when", {"type": "string"}, "2026-11-23T15:00:00+01:00"),
        ("callback_time", {"type": "string", "description": "ISO 8601 date and time"}, "2026-11-23T15:00:00+01:00"),
        ("at_utc", {"type": "string"}, "2026-11-23T14:00:00+00:00"),
        ("date", {"type": "string", "format": "date"}, "2026-11-23"),
        ("time", {"type": "string"}, "15:00"),
        ("in_minutes", {"type": "integer"}, 1740),
        ("delay_hours", {"type": "number"}, 29),
        ("language", {"type": "string", "enum": ["en-US", "cs-CZ"]}, "cs-CZ"),
        ("note", {"type": "string"}, "Zavolejte zítra."),
        ("priority", {"type": "integer"}, 1),
        ("retries", {"type": "integer", "default": 3}, 3),
    ],
)
def test_callback_arguments_take_the_shape_the_schema_asks_for(name, about, expected):
    assert filled("schedule_callback", about, name) == expected


def test_time_without_offset_stays_without():
    assert filled("schedule_callback", {"type": "string"}, at=AT.replace(tzinfo=None)) == "2026-11-23T15:00"


def test_optional_property_that_means_nothing_to_us_is_left_out():
    assert filled("schedule_callback", {"type": "string"}, "ticket", required=False) is None


def test_opt_out_covers_every_channel():
    about = {"type": "array", "items": {"type": "string", "enum": ["voice", "sms", "email"]}}
    assert filled("opt_out", about, "channels", outcome="opt_out") == ["voice", "sms", "email"]
    assert filled("opt_out", {"enum": ["voice", "all"]}, "scope", outcome="opt_out") == "all"


CODES = ["success", "declined", "dnc", "callback_requested", "wrong_number", "machine", "other"]


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        ("interested", "success"),
        ("not_interested", "declined"),
        ("opt_out", "dnc"),
        ("callback", "callback_requested"),
        ("human", "callback_requested"),
        ("busy", "callback_requested"),
        ("wrong_person", "wrong_number"),
        ("voicemail", "machine"),
        ("fax", "machine"),
        ("silence", "other"),
        ("unclear", "other"),
    ],
)
def test_closest_code_of_a_strange_list(outcome, code):
    assert closest_code(outcome, CODES) == code


def test_interested_is_never_taken_for_its_opposite():
    assert closest_code("interested", ["not_interested", "uninterested", "other"]) == "other"
    assert closest_code("interested", ["NOT INTERESTED", "Very-Interested"]) == "Very-Interested"
    assert closest_code("interested", ["red", "blue"]) is None


def test_codes_listed_only_in_the_description_are_found():
    about = {"type": "string", "description": "One of: sale, refused, callback, do_not_call."}
    assert filled("set_disposition", about, "result", outcome="not_interested") == "refused"
    union = {"oneOf": [{"const": "sale", "title": "Sold"}, {"const": "refused"}]}
    assert filled("set_disposition", union, "result", outcome="interested") == "sale"


def test_tools_are_known_by_what_they_are_called():
    names = ["endCall", "record_outcome", "add_to_dnc", "request_call_back", "transfer_call", "send_dtmf", "weather"]
    box = toolbox([{"type": "function", "name": name} for name in names] + [{"type": "mcp", "server_label": "x"}])
    assert {kind: tool.name for kind, tool in box.items()} == {
        "end_call": "endCall",
        "set_disposition": "record_outcome",
        "opt_out": "add_to_dnc",
        "schedule_callback": "request_call_back",
        "handover": "transfer_call",
        "press_keys": "send_dtmf",
    }
