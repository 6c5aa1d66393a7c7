"""What a person is asked before a campaign is moved. The live page asks the same."""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.campaigns import selectors
from apps.campaigns.models import Campaign


def question(campaign: Campaign, action: str) -> dict[str, object]:
    """What will happen, with counts: the title, the words, and the words on the button."""
    preview = selectors.stop_preview(campaign)
    if action == "start":
        n = selectors.n_to_call(campaign)
        words = ngettext("Call %(n)d person starting now", "Call %(n)d people starting now", n) % {"n": n}
        return {
            "question": words + "?",
            "confirm": words,
            "action": action,
            "words": [
                *_words_about_voices(campaign),
                _("Nobody is called outside the hours of their country, nor if they are on the do-not-call list."),
            ],
        }
    if action == "resume":
        words = ngettext("Go on with %(n)d person", "Go on with %(n)d people", preview.n_left) % {"n": preview.n_left}
        return {"question": words + "?", "confirm": words, "action": action, "words": []}
    lasting = ngettext(
        "%(n)d call in progress goes on to its end.",
        "%(n)d calls in progress go on to their end.",
        preview.n_live_calls,
    ) % {"n": preview.n_live_calls}
    waiting = ngettext(
        "%(n)d person is not called for now.", "%(n)d people are not called for now.", preview.n_left
    ) % {"n": preview.n_left}
    if action == "pause":
        return {
            "question": _("Pause this campaign?"),
            "confirm": _("Pause"),
            "action": action,
            "words": [lasting, waiting],
        }
    return {
        "question": _("Stop this campaign?"),
        "confirm": _("Stop"),
        "action": action,
        "words": [
            lasting,
            waiting,
            _("Agreed callbacks are not made either. It can be started again and goes on where it stopped."),
        ],
    }


def _words_about_voices(campaign: Campaign) -> list[str]:
    if missing := selectors.voices_missing(campaign):
        words = _("It will not start: the virtual agent has no voice for %(languages)s.")
        return [words % {"languages": missing}]
    if lacking := selectors.voices_lacking(campaign):
        words = _("The virtual agent's own voice AI has no voice for %(languages)s; another one takes over.")
        return [words % {"languages": lacking}]
    return []
