"""Errors of the REST interface, with Twilio's own codes."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web


@dataclass(frozen=True, slots=True)
class ApiError(Exception):
    """Answered as Twilio's JSON error body; `code` is Twilio's, `status` HTTP's."""

    status: int
    code: int
    message: str
    retry_after_s: float | None = None

    def response(self) -> web.Response:
        body = {
            "code": self.code,
            "message": self.message,
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
            "status": self.status,
        }
        response = web.json_response(body, status=self.status)
        if self.retry_after_s is not None:
            response.headers["Retry-After"] = f"{self.retry_after_s:g}"
        return response


def authentication_failed() -> ApiError:
    return ApiError(401, 20003, "Authenticate")


def not_found(path: str) -> ApiError:
    return ApiError(404, 20404, f"The requested resource {path} was not found")


def too_many_requests(retry_after_s: float | None) -> ApiError:
    return ApiError(429, 20429, "Too Many Requests", retry_after_s)


def not_in_progress() -> ApiError:
    return ApiError(400, 21220, "Call is not in-progress. Cannot redirect.")
