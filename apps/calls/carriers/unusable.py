"""A webhook that its carrier has signed and that does not say what it must."""


class UnusableWebhook(ValueError):
    """``code`` names the field."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
