"""What a media process's conversations share: none of them may take it from the others, or keep it for ever."""

import asyncio
import threading
from dataclasses import replace

import pytest

from apps.calls import consumers
from apps.calls.bridge.plan import RecordingPlan
from apps.calls.carriers.media import codec_for
from apps.calls.media.frames import HangUp, ToolCall
from apps.calls.media_process import make_media_process
from apps.calls.recorders import Recorders
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


@pytest.mark.parametrize("by_carrier", [False, True])
async def test_a_stream_that_takes_a_call_up_again_goes_on_with_the_pause_for_card_data(by_carrier, tmp_path):
    recording = RecordingPlan(need="none", rule_version="1", by_carrier=by_carrier)
    plan = replace(make_plan(offset_ms=30_000), recording=recording, is_recording_paused=True)
    recorders, told = Recorders(tmp_path), []
    recorders._ask_carrier = lambda call_id, wish, reason: told.append((str(wish), reason))
    recorder = recorders.recorder_for(plan, lambda kind, data: told.append(kind))
    assert recorder.is_paused
    assert recorder.was_paused(31_000, 32_000)
    assert told == ([("pause", "card")] if by_carrier else ["recording_started", "recording_paused"])
