"""Every tool there is, in the order in which people and models are shown them."""

from functools import partial

import structlog

from apps.calls.bridge.metrics import TOOL_CALLS
from apps.calls.bridge.sink import ToolResult
from apps.calls.media.frames import ToolCall
from apps.calls.models import Disposition, HttpTool, ToolName, VirtualAgent
from apps.calls.tools import ending, http, line, outcomes, recording, transfers
from apps.calls.tools.base import BadArguments, Offer, Run, Tool, ToolContext, read_arguments
from apps.calls.voice_ai.base import ToolSpec

log = structlog.get_logger(__name__)

TOOLS: dict[str, Tool] = {
    tool.name: tool
    for tool in (
        ending.END_CALL,
        outcomes.SET_DISPOSITION,
        outcomes.OPT_OUT,
        outcomes.SCHEDULE_CALLBACK,
        transfers.HAND_OVER,
        transfers.TRANSFER_TO_NUMBER,
        line.SEND_SMS,
        line.SEND_DTMF,
        ending.LEAVE_VOICEMAIL,
    )
}
# Offered by the circumstances of a call rather than switched on.
BY_PLAN: dict[str, Tool] = {
    tool.name: tool for tool in (recording.PAUSE_RECORDING, recording.RESUME_RECORDING, recording.STOP_RECORDING)
}
_WITH_TARGETS = {ToolName.HAND_OVER.value, ToolName.TRANSFER_TO_NUMBER.value}


def specs_for(agent: VirtualAgent, *, is_recorded: bool = False) -> list[ToolSpec]:
    """The functions offered to the model as JSON schemas: what the agent may do, less what lacks something.

    is_recorded: with those that pause the recording and stop it.
    """
    chosen = set(agent.tools)
    offer = Offer(
        agent,
        dispositions=Disposition.objects.filter(is_active=True) if ToolName.SET_DISPOSITION.value in chosen else (),
        targets=list(agent.transfer_targets.filter(is_active=True)) if chosen & _WITH_TARGETS else (),
    )
    tools = [tool for name, tool in TOOLS.items() if name in chosen] + (list(BY_PLAN.values()) if is_recorded else [])
    specs = [tool.specify(offer) for tool in tools]
    custom = [http.spec_of(tool) for tool in agent.http_tools.filter(is_active=True)]
    return [*(spec for spec in specs if spec is not None), *custom]


def run_tool(context: ToolContext, call: ToolCall) -> ToolResult:
    """Do what the model asks and tell it the result. Blocks on the database; raises only what nobody expected."""
    run, label = _function(context, call.name)
    if run is None:
        TOOL_CALLS.labels("unknown", "refused").inc()
        log.info("tool_unknown", was_offered=call.name in context.offered)
        return ToolResult("Failed: there is no such function.")
    try:
        answer = run(context, read_arguments(call.arguments))
    except BadArguments as error:
        TOOL_CALLS.labels(label, "refused").inc()
        log.info("tool_refused", tool=call.name)
        return ToolResult(f"Failed: {error}")
    TOOL_CALLS.labels(label, "done").inc()
    log.info("tool_done", tool=call.name)
    return answer if isinstance(answer, ToolResult) else ToolResult(answer)


def _function(context: ToolContext, name: str) -> tuple[Run | None, str]:
    """What stands behind a name the model was given, None for nothing; and its metric label."""
    if name not in context.offered:
        return None, ""
    tool = TOOLS.get(name) or BY_PLAN.get(name)
    if tool is not None:
        return tool.run, name
    custom = HttpTool.objects.filter(name=name, is_active=True).prefetch_related("headers").first()
    return (partial(http.use, tool=custom), "http_tool") if custom is not None else (None, "")
