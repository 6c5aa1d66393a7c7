"""Tools of the operator's own, declared in the back office."""

from collections.abc import Mapping
from typing import Any

from apps.calls.http_templates import BadToolArguments
from apps.calls.models import HttpTool
from apps.calls.services.http_tools import use_http_tool
from apps.calls.tools.base import BadArguments, ToolContext
from apps.calls.voice_ai.base import ToolSpec


def spec_of(tool: HttpTool) -> ToolSpec:
    return ToolSpec(tool.name, tool.description, {"additionalProperties": False, **tool.parameters})


def use(context: ToolContext, arguments: Mapping[str, Any], *, tool: HttpTool) -> str:
    try:
        return use_http_tool(tool, arguments, call_id=context.call_id)
    except BadToolArguments as error:
        raise BadArguments(f"{error} Correct it and try again.") from error
