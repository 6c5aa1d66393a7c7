"""Giving the call to somebody else: a queue, a person, another number. Only where the virtual agent was let."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.calls.bridge.sink import ToolResult
from apps.calls.models import TargetKind, ToolName, TransferTarget
from apps.calls.services.handover import NumberNotAllowed, TargetClosed, UnknownTarget, hand_over, transfer_to_number
from apps.calls.tools.base import BadArguments, Offer, Tool, ToolContext, note_of, object_schema, text_of
from apps.calls.voice_ai.base import ToolSpec

_ANNOUNCE = "Say in one short sentence that you are connecting the person now, and nothing more."
_REASON = {"type": "string", "description": "Why, in a few words for whoever takes the call."}


def _hand_over(context: ToolContext, arguments: Mapping[str, Any]) -> ToolResult:
    code = text_of(arguments, "target")
    try:
        target = hand_over(context.call_id, code=code, reason=note_of(arguments, "reason"), now=timezone.now())
    except UnknownTarget as error:
        raise BadArguments(f"there is no target {code!r}. Use one of those you were given.") from error
    except TargetClosed as error:
        raise BadArguments(_closed(error, context)) from error
    return ToolResult(f"Done: {target} is being rung. {_ANNOUNCE}", transfer_to=target.e164)


def _transfer_to_number(context: ToolContext, arguments: Mapping[str, Any]) -> ToolResult:
    number = text_of(arguments, "number", at_most=40)
    reason = note_of(arguments, "reason")
    try:
        to = transfer_to_number(context.call_id, number=number, reason=reason, now=timezone.now())
    except NumberNotAllowed as error:
        raise BadArguments("calls may not be connected to that number. Say so, and offer something else.") from error
    except TargetClosed as error:
        raise BadArguments(_closed(error, context)) from error
    return ToolResult(f"Done: the number is being rung. {_ANNOUNCE}", transfer_to=to)


def _closed(error: TargetClosed, context: ToolContext) -> str:
    again = error.opens_at_in(context.time_zone)
    when = f" They can be reached from {again} on, the person's local time." if again else ""
    return f"nobody is there now.{when} Say so, and offer a callback."


def _hand_over_spec(offer: Offer) -> ToolSpec | None:
    targets = [target for target in offer.targets if target.kind != TargetKind.NUMBER]
    if not targets:
        return None
    parameters = object_schema(
        ["target", "reason"],
        target={
            "type": "string",
            "enum": [target.code for target in targets],
            "description": _meanings(targets, name=lambda target: target.code),
        },
        reason=_REASON,
    )
    description = (
        "Give the call to a human. Call it when the person asks for one, or when you cannot help. Afterwards say that "
        "you are connecting them; you leave the call then."
    )
    return ToolSpec(ToolName.HAND_OVER.value, description, parameters)


def _transfer_spec(offer: Offer) -> ToolSpec | None:
    targets = [target for target in offer.targets if target.kind == TargetKind.NUMBER]
    prefixes = [str(prefix) for prefix in offer.agent.transfer_prefixes]
    if not targets and not prefixes:
        return None
    number: dict[str, Any] = {"type": "string"}
    if prefixes:
        beginnings = f"Any number in full that begins with {', '.join(prefixes)}."
        number["description"] = " ".join(
            filter(None, [_meanings(targets, name=lambda target: target.e164), beginnings])
        )
    else:
        number["enum"] = [target.e164 for target in targets]
        number["description"] = _meanings(targets, name=lambda target: target.e164)
    return ToolSpec(
        ToolName.TRANSFER_TO_NUMBER.value,
        "Connect the call to another number. Afterwards say that you are connecting the person; you leave the call "
        "then. Never use it for a number the person names, unless it is among those below.",
        object_schema(["number", "reason"], number=number, reason=_REASON),
    )


def _meanings(targets: Iterable[TransferTarget], *, name: Any) -> str:
    return " ".join(
        f"{name(target)}: {target}{f' – {description}' if (description := target.description.strip()) else ''}."
        for target in targets
    )


HAND_OVER = Tool(
    ToolName.HAND_OVER.value,
    _("The AI connects the person with your people: the queues and persons among its transfer targets."),
    _hand_over_spec,
    _hand_over,
    needs=_("At least one transfer target that is a queue or a person."),
)
TRANSFER_TO_NUMBER = Tool(
    ToolName.TRANSFER_TO_NUMBER.value,
    _("The AI connects the call to a number among its transfer targets, or one with an allowed beginning. No other."),
    _transfer_spec,
    _transfer_to_number,
    needs=_("A transfer target that is a number, or an allowed beginning."),
)
