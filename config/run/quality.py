"""`make lint`, `make fmt`, `make lock`: what reads the code."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from config.run import suite
from config.run.layout import ROOT, Layout

CODE = ("apps", "config", "tests", "benchmarks", "manage.py")
_TOOLS = Path(sys.executable).parent


def lint(_arguments: Sequence[str]) -> int:
    """Every check, also after one has failed. Gives 0 if all pass."""
    layout = Layout.from_environment().child("test")
    code = [name for name in CODE if (ROOT / name).exists()]
    checks: dict[str, list[str]] = {
        "ruff": ["ruff", "check", *code],
        "format": ["ruff", "format", "--check", *code],
        "types": ["mypy", *code],
        "import layers": ["lint-imports", "--no-logo"],
        "templates": ["djlint", "--lint", "--quiet", "templates"],
        "migrations": ["python", "manage.py", "makemigrations", "--check", "--dry-run"],
    }
    with suite.servers_of(layout, durable=False) as endpoints:
        environment = suite.tools_environment(layout, endpoints)
        failed = [name for name, words in checks.items() if _run(name, words, environment) != 0]
    print(f"==> {'Failed: ' + ', '.join(failed) if failed else 'All checks pass.'}", flush=True)
    return 1 if failed else 0


def fmt(_arguments: Sequence[str]) -> int:
    """Format, and mend what can be mended without thinking."""
    code = [name for name in CODE if (ROOT / name).exists()]
    return _run("imports and simple mistakes", ["ruff", "check", "--fix", *code]) | _run(
        "format", ["ruff", "format", *code]
    )


def lock(_arguments: Sequence[str]) -> int:
    """Write requirements/constraints.txt anew from the direct pins, for every Python and system we support."""
    command = "uv pip compile --universal --python-version 3.11 --no-build --no-header --no-annotate --quiet"
    command += " --no-emit-index-url --no-emit-find-links"
    sources = [f"requirements/{name}.txt" for name in ("dev", "node", "production")]
    constraints = ROOT / "requirements" / "constraints.txt"
    kept = constraints.read_text(encoding="utf-8")
    header = kept.splitlines()[0]
    constraints.write_text(header + "\n", encoding="utf-8")  # the sources include it, and it must not hold them back
    words = command.split()
    done = subprocess.run(
        [_TOOLS / words[0], *words[1:], *sources], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode != 0:
        constraints.write_text(kept, encoding="utf-8")
        return done.returncode
    lines = [_plain(line) for line in done.stdout.splitlines() if _is_for_us(line)]
    constraints.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return 0


def _is_for_us(line: str) -> bool:
    """Not for Windows, the browser or PyPy."""
    return not any(words in line for words in ("win32", "emscripten", "!= 'CPython'", "== 'PyPy'"))


def _plain(line: str) -> str:
    """Without a marker that only says what `_is_for_us` says already."""
    requirement, _, marker = line.partition(" ; ")
    always = {
        "platform_python_implementation != 'PyPy'",
        "platform_python_implementation == 'CPython'",
        "implementation_name != 'PyPy'",
        "implementation_name != 'pypy'",
    }
    return requirement if marker in always else line


def _run(name: str, words: Sequence[str], environment: Mapping[str, str] | None = None) -> int:
    print(f"==> {name}: {' '.join(words)}", flush=True)
    return subprocess.run([_TOOLS / words[0], *words[1:]], cwd=ROOT, env=environment, check=False).returncode
