"""A call in which the model may use everything there is."""

import json
from collections.abc import Callable

import pytest

from apps.calls.media.frames import ToolCall
from apps.calls.models import Leg
from apps.calls.tools import TOOLS, ToolContext, run_tool
from tests.factories.calls import make_leg

Use = Callable[..., str]


@pytest.fixture
def leg(db) -> Leg:
    return make_leg("answered")


@pytest.fixture
def ask(leg):
    """Call a tool as the model does; the whole result."""

    def ask(name: str, arguments: object, *, zone: str = "Europe/Prague", offered=frozenset(TOOLS)):
        text = arguments if isinstance(arguments, str) else json.dumps(arguments)
        return run_tool(ToolContext(leg.call_id, zone, offered), ToolCall("t1", name, text))

    return ask


@pytest.fixture
def use(ask) -> Use:
    """Call a tool as the model does; what it is told."""
    return lambda *args, **kwargs: ask(*args, **kwargs).text
