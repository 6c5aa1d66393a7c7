"""What a media process's conversations share: none of them may take it from the others, or keep it for ever."""

import asyncio
import threading

from apps.calls import consumers
from apps.calls.carriers.media import codec_for
from apps.calls.media.frames import HangUp, ToolCall
from apps.calls.media_process import make_media_process
from apps.calls.session_sink import SessionSink
from tests.calls.bridge.fakes import make_plan


async def test_tools_that_take_their_time_keep_no_other_call_waiting(monkeypatch):
    process = make_media_process()
    go_on = threading.Event()
    monkeypatch.setattr("apps.calls.session_sink.run_tool", lambda context, call: go_on.wait(30))
    sink = SessionSink(
        plan=make_plan(),
        journal=process.journal,
        in_thread=process.in_thread,
        in_tool_thread=process.in_tool_thread,
    )
    tools = [asyncio.create_task(sink.run_tool(ToolCall(f"t{n}", "crm", "{}"))) for n in range(100)]
    try:
        assert await asyncio.wait_for(process.in_thread(lambda: "plan"), 10) == "plan"
        assert not any(tool.done() for tool in tools)
    finally:
        go_on.set()
        await asyncio.gather(*tools)


async def test_a_carrier_that_reads_no_more_does_not_keep_its_call_from_ending(monkeypatch):
    monkeypatch.setattr(consumers, "_CLOSE_S", 0.01)
    is_asked = asyncio.Event()

    async def never_written(message) -> None:
        is_asked.set()
        await asyncio.Event().wait()

    line = consumers.WebSocketLine(receive=None, send=never_written, codec=codec_for("twilio"))
    await asyncio.wait_for(line.send(HangUp()), 10)
    assert is_asked.is_set()
