"""What to do about each matter a contact can bring up. Pure tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Step:
    """Tools first unless `says_first`; `asks` means that the contact has to answer before the next step."""

    says: str = ""
    calls: tuple[str, ...] = ()
    says_first: bool = True
    asks: bool = False


_LAST: Final = ("end_call",)
# What to do about each matter a contact can bring up: one step is one response.
PLANS: Final[dict[str, tuple[Step, ...]]] = {
    "interested": (
        Step("shall_we", asks=True),
        Step(calls=("set_disposition",)),
        Step("thanks_agreed", _LAST),
    ),
    "information": (
        Step("information", asks=True),
        Step(calls=("set_disposition",)),
        Step("thanks_agreed", _LAST),
    ),
    "not_interested": (Step("decline", ("set_disposition", "end_call")),),
    "opt_out": (Step(calls=("opt_out",)), Step("removed", ("set_disposition", "end_call"))),
    "callback": (
        Step(calls=("schedule_callback", "set_disposition")),
        Step("callback_set", asks=True),
        Step("until_then", _LAST),
    ),
    "human": (Step("connecting", ("handover",), asks=True), Step("goodbye", ("set_disposition", "end_call"))),
    "human_later": (
        Step(calls=("schedule_callback", "set_disposition")),
        Step("colleague_will_call", _LAST),
    ),
    "transfer": (
        Step("connecting_office", ("transfer",), asks=True),
        Step("goodbye", ("set_disposition", "end_call")),
    ),
    "text": (
        Step(calls=("send_sms",)),
        Step("text_sent", asks=True),
        Step(calls=("set_disposition",)),
        Step("thanks_agreed", _LAST),
    ),
    "text_later": (
        Step("text_later", asks=True),
        Step(calls=("set_disposition",)),
        Step("thanks_agreed", _LAST),
    ),
    "card": (
        Step(calls=("pause_recording",)),
        Step("card_noted", asks=True),
        Step(calls=("resume_recording", "set_disposition")),
        Step("thanks_agreed", _LAST),
    ),
    "wrong_person": (Step("wrong_person", ("set_disposition", "end_call")),),
    "busy": (
        Step(calls=("set_disposition",)),
        Step("offer_callback", asks=True),
        Step("goodbye", _LAST),
    ),
    "voicemail": (Step("voicemail", ("set_disposition", "end_call")),),
    "ivr": (Step(calls=("set_disposition", "end_call")),),
    "ivr_keys": (Step(calls=("press_keys",)),),
    "fax": (Step(calls=("set_disposition", "end_call")),),
    "silence": (Step("nobody_there", ("set_disposition", "end_call")),),
    "unclear": (Step("can_not_understand", ("set_disposition", "end_call")),),
    "ended": (Step("goodbye", ("set_disposition", "end_call")),),
    "time_is_up": (Step("time_is_up", _LAST),),
}
MATTER_OF_INTENT: Final = {
    "interested": "interested",
    "not_interested": "not_interested",
    "opt_out": "opt_out",
    "callback_tomorrow_1500": "callback",
    "wants_human": "human",
    "wrong_person": "wrong_person",
    "busy_now": "busy",
    "send_information": "information",
    "voicemail_greeting": "voicemail",
    "ivr_menu": "ivr",
    "wants_sms": "text",
    "wants_transfer": "transfer",
    "card_number": "card",
}
# Where a matter takes a tool: the tools that will do, the best first, and the plan with each; then the plan without.
WITH_TOOL: Final = {
    "human": (("handover", "human"), ("transfer", "transfer")),
    "transfer": (("transfer", "transfer"), ("handover", "human")),
    "text": (("send_sms", "text"),),
    "ivr": (("press_keys", "ivr_keys"),),
}
WITHOUT: Final = {"human": "human_later", "transfer": "human_later", "text": "text_later"}
# Answers that keep the matter as it is and leave the word to the contact.
ASIDES: Final = {
    "are_you_robot": "robot",
    "interruption": "go_ahead",
    "question_price": "price",
    "screener_connecting": "thank_you",
    "ivr_connecting": "thank_you",
    "ivr_invalid": "thank_you",
}
OUTCOMES: Final = {
    **{"human_later": "human", "transfer": "human", "ivr_keys": "ivr", "time_is_up": "ended"},
    **{"text": "information", "text_later": "information", "card": "interested"},
}
MACHINES: Final = frozenset({"voicemail", "ivr", "ivr_keys", "fax"})
