"""Browser profiles that are kept from test to test: to open one costs more than all else that a short test does.

What a page leaves behind (cookies, storage) is gone when the next test opens one; only the cache of files stays.
"""

import re
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, BrowserContext, CDPSession, Playwright

_STORAGES = "local_storage,indexeddb,cache_storage,service_workers"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a profile is opened for, and cannot be changed afterwards."""

    role: str
    language: str
    is_phone: bool


class Profiles:
    """sessions: the cookies of each role. Of a browser and a running product."""

    def __init__(self, browser: Browser, origin: str, sessions: dict[str, list[Any]]) -> None:
        self._browser, self._origin, self._sessions = browser, origin, sessions
        self._kept: dict[Kind, tuple[BrowserContext, CDPSession]] = {}

    def new(self, kind: Kind) -> BrowserContext:
        """One that nobody else gets; close it."""
        context = self._browser.new_context(
            base_url=self._origin,
            locale=kind.language,
            has_touch=kind.is_phone,
            is_mobile=kind.is_phone,
            reduced_motion="reduce",
        )
        context.add_cookies(self._sessions[kind.role])
        return context

    def kept(self, kind: Kind) -> BrowserContext:
        """One that knows nothing of earlier tests; close your pages of it."""
        if kind not in self._kept:
            context = self.new(kind)
            blank = context.new_page()  # the last page takes the window with it, and that is most of the work
            self._kept[kind] = context, context.new_cdp_session(blank)
            return context
        context, devtools = self._kept[kind]
        devtools.send("Storage.clearDataForOrigin", {"origin": self._origin, "storageTypes": _STORAGES})
        context.clear_cookies()
        context.add_cookies(self._sessions[kind.role])
        return context

    def drop(self) -> None:
        """Keep none: after a test that failed, who knows what state they are in."""
        for context, _devtools in self._kept.values():
            context.close()
        self._kept.clear()


def cookies_of(playwright: Playwright, origin: str, username: str, password: str) -> list[Any]:
    """What a browser holds after signing in; got without one, as that is faster."""
    client = playwright.request.new_context(base_url=origin)
    page = client.get("/accounts/login/").text()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert token, page
    form: dict[str, str | float | bool] = {"username": username, "password": password}
    answer = client.post("/accounts/login/", form={**form, "csrfmiddlewaretoken": token[1]}, max_redirects=0)
    assert answer.status == 302, answer.text()
    cookies: list[Any] = client.storage_state()["cookies"]
    client.dispose()
    return cookies
