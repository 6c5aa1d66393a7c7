"""What a custom tool is made of."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.calls import http_templates as templates
from apps.calls.http_templates import BadTool, BadToolArguments

ORDER = {
    "type": "object",
    "properties": {"order_id": {"type": "string", "maxLength": 20}, "n": {"type": "integer"}},
    "required": ["order_id"],
}


@pytest.mark.parametrize(
    "schema",
    [
        None,
        [],
        {},
        {"type": "array"},
        {"type": "object", "properties": []},
        {"type": "object", "properties": {"a b": {}}},
        {"type": "object", "properties": {"a": {"type": "strin"}}},
        {"type": "object", "properties": {"a": {"pattern": "(a+)+$"}}},
        {"type": "object", "properties": {"a": {"items": [{"pattern": "x"}]}}},
        {"type": "object", "patternProperties": {"(a+)+$": {}}},
        {"type": "object", "properties": {"a": {"$ref": "https://example.com/schema.json"}}},
        {"type": "object", "properties": {"a": {"description": "x" * 9000}}},
    ],
)
def test_a_schema_that_cannot_be_checked_is_refused(schema):
    with pytest.raises(BadTool):
        templates.check_schema(schema)


@pytest.mark.parametrize(
    "schema",
    [
        ORDER,
        {"type": "object", "properties": {}},
        {"type": "object", "properties": {"pattern": {"type": "string"}, "properties": {"type": "integer"}}},
        {"type": "object", "properties": {"a": {"enum": ["pattern", {"$ref": 1}]}}},
    ],
)
def test_a_proper_schema_passes(schema):
    templates.check_schema(schema)


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com/",
        "https:///x",
        "https://user:secret@api.example.com/",
        "https://{order_id}.example.com/",
        "https://api.example.com:{n}/",
        "https://api.example.com:99999/",
        "https://api.example.com/{nothing}",
        "https://api.example.com/{n}",  # not required
        "https://api.example.com/{order_id",
        "https://api.example.com/a b",
        "https://api.example.com/#x",
        "file:///etc/passwd",
        "",
    ],
)
def test_an_address_that_arguments_could_bend_is_refused(url):
    with pytest.raises(BadTool):
        templates.check_url(url, ORDER)


def test_plain_http_is_for_hosts_of_ours():
    templates.check_url("http://erp.intranet/x", ORDER, private_hosts=("erp.intranet",))
    templates.check_url("https://api.example.com:8443/orders/{order_id}?full={order_id}", ORDER)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "order_id"),
        ({"order_id": 5}, "order_id"),
        ({"order_id": "x" * 21}, "too long"),
        ({"order_id": "1", "n": "many"}, "n:"),
        ({"order_id": "1", "extra": 1}, "extra"),
        ({"order_id": "1", "n": {"$ref": "#"}}, "n:"),
        ({"order_id": "x" * 5000}, "too long"),
    ],
)
def test_arguments_that_do_not_fit_say_what_to_change(arguments, says):
    with pytest.raises(BadToolArguments, match=says):
        templates.check_arguments(ORDER, arguments)


@pytest.mark.parametrize(
    ("method", "template", "arguments", "url", "body"),
    [
        ("GET", "https://a.example/o/{id}", {"id": "7 8"}, "https://a.example/o/7%208", None),
        ("GET", "https://a.example/o", {"id": "a&b=c", "n": 2}, "https://a.example/o?id=a%26b%3Dc&n=2", None),
        ("GET", "https://a.example/o?x={id}", {"id": "a&b", "n": 2}, "https://a.example/o?x=a%26b&n=2", None),
        ("POST", "https://a.example/o/{id}", {"id": "7", "n": 2}, "https://a.example/o/7", {"n": 2}),
        ("DELETE", "https://a.example/o/{id}", {"id": "č"}, "https://a.example/o/%C4%8D", None),
    ],
)
def test_arguments_take_their_places(method, template, arguments, url, body):
    assert templates.fill_url(template, arguments, method=method) == (url, body)


@pytest.mark.parametrize("value", ["..", ".", "", "a/b", "..\\x", "a\nb", "\x00", "../../admin"])
def test_nothing_climbs_out_of_its_place(value):
    with pytest.raises(BadToolArguments):
        templates.fill_url("https://a.example/o/{id}/x", {"id": value}, method="GET")


@given(st.text(max_size=50))
def test_whatever_is_filled_in_the_host_stays(value):
    try:
        url, _body = templates.fill_url("https://a.example/o/{id}?q={id}", {"id": value}, method="GET")
    except BadToolArguments:
        return
    assert url.startswith("https://a.example/o/")
    assert url.count("?") == 1
    assert "#" not in url
    assert url.isascii()


@pytest.mark.parametrize(
    ("data", "template", "told"),
    [
        ({"order": {"status": "sent"}}, "It is {order.status}.", "It is sent."),
        ({"items": [{"name": "Tea"}]}, "{items.0.name}", "Tea"),
        ({"n": 3, "ok": True}, "{n} {ok}", "3 true"),
        ({}, "It is {order.status}.", "It is unknown."),
        ({"a": "x" * 900}, "{a}", "x" * 300),
        ({"a": "one\ntwo\x00\u202e"}, "{a}", "one two"),
        ([1], "{0}", "1"),
    ],
)
def test_the_answer_becomes_a_sentence(data, template, told):
    body = json.dumps(data).encode()
    assert templates.read_answer(body, "application/json", template, was_cut=False) == told


def test_without_a_sentence_the_data_are_told_cut_and_clean():
    told = templates.read_answer(b'{"a":\n"' + b"x" * 5000 + b'"}', "application/json", "", was_cut=False)
    assert told.startswith('{"a": "xxx')
    assert len(told) == templates.MAX_RESULT + 2
    assert templates.read_answer(b"\xff\xfe ok", "text/plain", "", was_cut=False).endswith("ok")


@pytest.mark.parametrize(
    ("body", "kind", "template", "was_cut"),
    [
        (b"<html>", "text/html", "", False),
        (b"<html>", "application/json", "{a}", False),
        (b'{"a": 1}', "application/json", "{a}", True),
    ],
)
def test_what_is_no_answer_is_not_told(body, kind, template, was_cut):
    with pytest.raises(ValueError, match=r".*"):
        templates.read_answer(body, kind, template, was_cut=was_cut)


@pytest.mark.parametrize("template", ["{}", "{a b}", "{a[0]}", "{__class__!r}"])
def test_places_that_are_no_paths_are_refused(template):
    with pytest.raises(BadTool):
        templates.check_success_text(template)
