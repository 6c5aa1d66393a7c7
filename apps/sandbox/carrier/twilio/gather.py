"""`<Gather>`: keys pressed and, for want of a recogniser, the words the callee is known to have said."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element

if TYPE_CHECKING:
    from apps.sandbox.carrier.twilio.call import Input, TwilioCall


async def gather(call: TwilioCall, verb: Element, *, prompt: Callable[[Element], Awaitable[None]]) -> dict[str, str]:
    """What to post to the action: Digits and FinishedOnKey, or SpeechResult and Confidence; empty if nothing came."""
    modes = verb.get("input", "dtmf").split()
    wanted = {"key"} if "dtmf" in modes else set()
    if "speech" in modes:
        wanted.add("speech")
    timeout_s = call.exchange.clock.real(float(verb.get("timeout", "5").replace("auto", "5")))
    finish_key, most = verb.get("finishOnKey", "#"), int(verb.get("numDigits", "0"))
    while not call.inputs.empty():
        call.inputs.get_nowait()
    prompting = asyncio.ensure_future(prompt(verb))
    first = asyncio.ensure_future(_next(call, wanted))
    try:
        await asyncio.wait({prompting, first}, return_when=asyncio.FIRST_COMPLETED)
        if not first.done():
            await asyncio.wait({first}, timeout=timeout_s)
        if not first.done():
            return {}
        prompting.cancel()
        given = first.result()
        if given.kind == "speech":
            await call.exchange.clock.sleep(given.duration_s)
            return {"SpeechResult": given.text, "Confidence": "0.95"}
        return await _digits(call, given.text, finish_key, most, timeout_s)
    finally:
        prompting.cancel()
        first.cancel()
        await asyncio.gather(prompting, first, return_exceptions=True)


async def _digits(call: TwilioCall, first: str, finish_key: str, most: int, timeout_s: float) -> dict[str, str]:
    digits, finished_on = "", ""
    key: str | None = first
    while key is not None:
        if key == finish_key:
            finished_on = key
            break
        digits += key
        if most and len(digits) >= most:
            break
        try:
            key = (await asyncio.wait_for(_next(call, {"key"}), timeout_s)).text
        except TimeoutError:
            key = None
    return {"Digits": digits, "FinishedOnKey": finished_on}


async def _next(call: TwilioCall, wanted: set[str]) -> Input:
    while True:
        given = await call.inputs.get()
        if given.kind in wanted:
            return given
