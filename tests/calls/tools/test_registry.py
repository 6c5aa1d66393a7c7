import json

import pytest
from jsonschema import Draft202012Validator

from apps.calls.models import ToolName
from apps.calls.tools import TOOLS, specs_for
from tests.factories.calls import make_disposition, make_transfer_target, make_virtual_agent

pytestmark = pytest.mark.django_db


def names_of(agent) -> list[str]:
    return [spec.name for spec in specs_for(agent)]


def test_there_is_a_function_for_every_tool_that_can_be_switched_on():
    assert set(TOOLS) == set(ToolName.values)


def test_the_model_is_offered_what_the_agent_may_do_and_no_more():
    make_disposition("sale", description="Agreed to buy.")
    specs = specs_for(make_virtual_agent(tools=["end_call", "set_disposition", "no_such_tool"]))
    assert [spec.name for spec in specs] == ["end_call", "set_disposition"]
    assert specs[1].parameters["properties"]["disposition"]["enum"] == ["sale"]
    assert "sale: Agreed to buy." in specs[1].parameters["properties"]["disposition"]["description"]


def test_a_tool_that_lacks_what_it_needs_is_not_offered():
    agent = make_virtual_agent(tools=["set_disposition", "hand_over", "transfer_to_number", "opt_out"])
    agent.transfer_targets.add(make_transfer_target(is_active=False))
    assert names_of(agent) == ["opt_out"]


def test_all_schemas_are_json_schemas_of_objects():
    make_disposition("sale")
    agent = make_virtual_agent(tools=list(ToolName.values))
    agent.transfer_targets.add(make_transfer_target("billing"), make_transfer_target("hotline", kind="number"))
    specs = specs_for(agent)
    assert {spec.name for spec in specs} == set(ToolName.values)
    for spec in specs:
        schema = json.loads(json.dumps(dict(spec.parameters)))
        Draft202012Validator.check_schema(schema)
        assert schema["type"] == "object"
        assert schema["additionalProperties"] is False


def test_the_rows_are_read_once_for_each_kind(django_assert_num_queries):
    make_disposition("sale")
    agent = make_virtual_agent(tools=list(ToolName.values))
    agent.transfer_targets.add(make_transfer_target())
    with django_assert_num_queries(3):
        specs_for(agent)


@pytest.mark.parametrize("name", ["format_disk", "", "end_call"])
def test_what_is_no_function_of_ours_to_run_is_refused(use, name):
    assert use(name, {}) == "Failed: there is no such function."


def test_a_function_the_model_was_not_given_is_refused_though_it_exists(use):
    assert use("opt_out", {}, offered=frozenset({"end_call"})) == "Failed: there is no such function."


@pytest.mark.parametrize("arguments", ["null", "[1]", "{not json", '"text"', '{"a":' * 5000, "x" * 9000])
def test_arguments_that_are_no_object_are_refused(use, arguments):
    assert use("opt_out", arguments).startswith("Failed: the arguments")
