"""Errors of Telnyx's API, with its own codes."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web


@dataclass(frozen=True, slots=True)
class TelnyxError(Exception):
    """Answered as `{"errors": [{…}]}`; `code` is Telnyx's, `status` HTTP's, `pointer` names the field at fault."""

    status: int
    code: str
    title: str
    detail: str
    pointer: str = ""
    retry_after_s: float | None = None

    def response(self) -> web.Response:
        error: dict[str, object] = {"code": self.code, "title": self.title, "detail": self.detail}
        if self.pointer:
            error["source"] = {"pointer": self.pointer}
        error["meta"] = {"url": f"https://developers.telnyx.com/docs/overview/errors/{self.code}"}
        response = web.json_response({"errors": [error]}, status=self.status)
        if self.retry_after_s is not None:
            response.headers["Retry-After"] = f"{self.retry_after_s:g}"
            response.headers["x-ratelimit-limit"] = "200"
            response.headers["x-ratelimit-remaining"] = "0"
            response.headers["x-ratelimit-reset"] = f"{self.retry_after_s:g}"
        return response


def authentication_failed() -> TelnyxError:
    detail = "The required authentication headers were either invalid or not included in the request."
    return TelnyxError(401, "10009", "Authentication failed", detail)


def not_found(path: str) -> TelnyxError:
    return TelnyxError(404, "10005", "Resource not found", f"The requested resource or URL {path} could not be found.")


def too_many_requests(retry_after_s: float) -> TelnyxError:
    detail = "You have exceeded the maximum number of allowed requests."
    return TelnyxError(429, "10011", "Too many requests", detail, retry_after_s=retry_after_s)


def unexpected() -> TelnyxError:
    return TelnyxError(500, "10007", "Unexpected error", "An unexpected error occurred.")


def missing(name: str) -> TelnyxError:
    return TelnyxError(422, "10004", "Missing required parameter", f"{name} is required.", f"/{name}")


def bad(name: str, detail: str) -> TelnyxError:
    return TelnyxError(422, "10015", "Bad Request", detail, f"/{name}")


def not_e164(name: str, number: str) -> TelnyxError:
    detail = f"The specified phone number {number!r} must be in +E.164 format."
    return TelnyxError(422, "10016", "Phone number must be in +E.164 format", detail, f"/{name}")


def bad_url(name: str, url: str) -> TelnyxError:
    return TelnyxError(422, "10003", "Invalid URL", f"The URL {url!r} is not valid.", f"/{name}")


def bad_client_state() -> TelnyxError:
    detail = "The value of client_state must be a Base64 encoded string."
    return TelnyxError(422, "90017", "Invalid client_state", detail, "/client_state")


def unknown_call() -> TelnyxError:
    detail = "The provided call_control_id was not valid."
    return TelnyxError(422, "90015", "Invalid Call Control ID", detail, "/call_control_id")


def already_ended() -> TelnyxError:
    detail = "This call is no longer active and can't receive commands."
    return TelnyxError(422, "90018", "Call has already ended", detail, "/call_control_id")


def not_answered() -> TelnyxError:
    detail = "This command can't be issued on a call that has not been answered."
    return TelnyxError(422, "90034", "Call not answered yet", detail, "/call_control_id")


def is_outbound() -> TelnyxError:
    detail = "The answer and reject commands can't be issued on an outbound call."
    return TelnyxError(422, "90102", "Command not allowed on an outbound call", detail, "/call_control_id")


def bad_argument(name: str, detail: str) -> TelnyxError:
    return TelnyxError(422, "90053", "Invalid command argument", detail, f"/{name}")


def streaming_in_use() -> TelnyxError:
    return TelnyxError(422, "90045", "Media streaming used", "Media streaming is already in use on this call.")


def streaming_not_in_use() -> TelnyxError:
    return TelnyxError(422, "90048", "Media streaming not used", "There is no media streaming on this call to stop.")
