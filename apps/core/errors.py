"""The base of every expected failure: one shape for API, forms and cockpit."""

from collections.abc import Mapping

from django.utils.functional import Promise


class DomainError(Exception):
    """An expected failure with a stable code, a translated message and an HTTP status.

    Subclasses live in the app whose rule they speak for and set ``code`` and ``status``.
    """

    code = "error"
    status = 400

    def __init__(self, message: str | Promise, *, detail: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.detail = dict(detail or {})

    def __str__(self) -> str:
        return str(self.message)
