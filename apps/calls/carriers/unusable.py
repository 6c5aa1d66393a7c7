"""What carriers write, made fit to be kept; and what is of no use, though they have signed it."""


class UnusableWebhook(ValueError):
    """Signed by the carrier, but it does not say what it must. ``code`` names the field."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def plain(text: str, *, at_most: int) -> str:
    """The text without what no database keeps (NUL, halves of characters), cut to a length."""
    return text.replace("\x00", "").encode("utf-8", "ignore").decode()[:at_most]
