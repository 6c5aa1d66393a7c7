"""What `make test` needs beyond PyPI and npm: Chromium and what drives it for the browser tests, Pango for PDF.

On Debian and Ubuntu with root or password-less sudo they are installed, and it says so; elsewhere it says what to do.
"""

import ctypes
import os
import shutil
import subprocess
import sys

from config.run.problem import Problem

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# What WeasyPrint loads, and the packages that hold it on Debian 11 or newer and Ubuntu 22.04 or newer.
_PANGO_LIBRARIES = {
    "linux": ("libpango-1.0.so.0", "libpangoft2-1.0.so.0", "libharfbuzz-subset.so.0"),
    "darwin": ("libpango-1.0.dylib", "libpangoft2-1.0.dylib", "libharfbuzz-subset.dylib"),
}
# What the Node.js inside Playwright's package links to, and a bare Debian does not have.
_DRIVER_PACKAGES = ("libatomic1",)
_PANGO_PACKAGES = ("libpango-1.0-0", "libpangoft2-1.0-0", "libharfbuzz-subset0", "fonts-dejavu-core")


def ensure_pango() -> None:
    """Raises Problem if WeasyPrint's libraries are missing and cannot be installed here."""
    if _pango_is_here():
        return
    if _apt_get() is None:
        raise Problem(
            "Pango, which draws the PDF reports, is missing. On macOS: brew install pango. On Debian or Ubuntu, as "
            f"administrator: apt-get install {' '.join(_PANGO_PACKAGES)}. On Fedora: dnf install pango."
        )
    _apt_install("Pango and a font, for PDF reports", _PANGO_PACKAGES)
    if not _pango_is_here():
        raise Problem(f"Pango was installed ({', '.join(_PANGO_PACKAGES)}) and still cannot be loaded.")


def ensure_driver() -> None:
    """Raises Problem if what Playwright drives a browser with does not start, and cannot be brought to."""
    if _driver_starts():
        return
    if _apt_get() is None:
        raise Problem(
            "Playwright's driver, for the browser tests, does not start. On Debian or Ubuntu, as administrator: "
            f"apt-get install {' '.join(_DRIVER_PACKAGES)}. On Fedora: dnf install libatomic. "
            "`python -m playwright --version` says what it misses."
        )
    _apt_install("what Playwright's driver needs, for the browser tests", _DRIVER_PACKAGES)
    if not _driver_starts():
        raise Problem("Playwright's driver does not start; `python -m playwright --version` says why.")


def ensure_chromium() -> str | None:
    """The path of a Chromium that starts; None where Playwright's own is installed and finds itself.

    CHROMIUM_PATH, when set, is taken for it. Raises Problem if there is none and none can be had.
    """
    if given := os.environ.get("CHROMIUM_PATH"):
        if not _starts(given):
            raise Problem(f"CHROMIUM_PATH={given} does not start. Unset it, or name a working Chromium.")
        return given
    if found := _system_chromium():
        return found
    if _playwright_chromium():
        return None
    if _apt_get() is not None:
        _apt_install("Chromium, for the browser tests", ("chromium", "fonts-dejavu-core"), optional=True)
        if found := _system_chromium():
            return found
    print("==> Downloading Playwright's Chromium, for the browser tests (about 170 MB).", flush=True)
    command = [sys.executable, "-m", "playwright", "install", "chromium"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0 or not _playwright_chromium():
        raise Problem(
            "There is no Chromium for the browser tests, and Playwright's could not be downloaded or does not start. "
            "On Debian or Ubuntu, as administrator: apt-get install chromium. Or set CHROMIUM_PATH. "
            "Everything else can be tested with: make test ARGS='-m \"not e2e\"'"
        )
    return None


def _pango_is_here() -> bool:
    for name in _PANGO_LIBRARIES.get(sys.platform, ()):
        try:
            ctypes.CDLL(name)
        except OSError:
            return False
    return True


def _driver_starts() -> bool:
    return (
        subprocess.run([sys.executable, "-m", "playwright", "--version"], capture_output=True, check=False).returncode
        == 0
    )


def _system_chromium() -> str | None:
    for name in _BROWSERS:
        path = shutil.which(name)
        if path and _starts(path):  # on Ubuntu, chromium may be a mere pointer to a snap
            return path
    return None


def _playwright_chromium() -> bool:
    """Whether Playwright has a Chromium of its own that starts, all its libraries being there."""
    ask = (
        "from playwright.sync_api import sync_playwright\n"
        "with sync_playwright() as p: p.chromium.launch(args=['--no-sandbox']).close()"
    )
    return subprocess.run([sys.executable, "-c", ask], capture_output=True, check=False).returncode == 0


def _starts(path: str) -> bool:
    try:
        return subprocess.run([path, "--version"], capture_output=True, timeout=60, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _apt_get() -> list[str] | None:
    """The words that run apt-get with the rights it needs, or None where that cannot be."""
    apt = shutil.which("apt-get")
    if apt is None:
        return None
    if os.geteuid() == 0:
        return [apt]
    sudo = shutil.which("sudo")
    if sudo and subprocess.run([sudo, "-n", "true"], capture_output=True, check=False).returncode == 0:
        return [sudo, "-n", "env", "DEBIAN_FRONTEND=noninteractive", apt]
    return None


def _apt_install(what: str, packages: tuple[str, ...], *, optional: bool = False) -> None:
    """Install with apt. Raises Problem if that fails, unless there is another way (optional)."""
    apt = _apt_get()
    if apt is None:
        raise Problem(f"apt-get install {' '.join(packages)} needs an administrator.")
    print(f"==> Installing {what}, with apt: {' '.join(packages)}.", flush=True)
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    for words in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        done = subprocess.run(
            [*apt, "-q", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
            check=False,
        )
        if done.returncode != 0 and not optional:
            lines = [line for line in done.stdout.splitlines() if line.startswith("E:")] or done.stdout.splitlines()
            reason = lines[-1] if lines else "it said nothing"
            raise Problem(f"apt-get {words[0]} failed: {reason} Install by hand: {' '.join(packages)}")
