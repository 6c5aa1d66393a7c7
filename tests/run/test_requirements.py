"""Installations are exact, and the product needs nothing in production that only a developer has."""

import ast
import re
import sys
from importlib.metadata import packages_distributions

import pytest

from config.run.layout import ROOT

FILES = ("base", "production", "local", "dev", "node")
# Come with a framework that is pinned, as the words it speaks.
PART_OF = {"asgiref": "django"}


def _lines(name):
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith(("#", "-"))]


def _canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def _pins(name):
    return {_canonical(re.split(r"[\[=]", line)[0]): line for line in _lines(name)}


@pytest.mark.parametrize("name", FILES)
def test_every_requirement_is_pinned_exactly(name):
    for line in _lines(name):
        assert re.match(r"^[A-Za-z0-9_.-]+(\[[a-z0-9,-]+\])?==[0-9][^ ]*(\s|;|$)", line), line


@pytest.mark.parametrize("name", ["base", "dev"])
def test_every_requirement_says_why_it_is_here(name):
    for line in _lines(name):
        assert re.search(r"\s# \S", line), line


def test_the_constraints_agree_with_the_direct_pins():
    constraints = _pins("constraints")
    for file in FILES:
        for name, line in _pins(file).items():
            version = re.search(r"==([^\s;]+)", line).group(1)
            assert constraints[name].split(" ")[0].endswith(f"=={version}"), f"{line}: run `make lock`"


def test_the_product_imports_only_what_production_installs():
    homes = packages_distributions()
    installed = _pins("base")
    missing = {}
    for folder in ("apps", "config"):
        for path in (ROOT / folder).rglob("*.py"):
            relative = path.relative_to(ROOT).as_posix()
            if relative.startswith(("apps/sandbox/", "config/run/")):
                continue
            for module in _imported(path):
                names = {_canonical(name) for name in homes.get(module, [module])}
                if module not in sys.stdlib_module_names and not names & ({*installed} | {*PART_OF}):
                    missing.setdefault(module, relative)
    assert missing == {}


def _imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [node.module]
        else:
            continue
        yield from {name.partition(".")[0] for name in names} - {"apps", "config"}


def test_the_front_end_lock_names_no_registry():
    assert "resolved" not in (ROOT / "package-lock.json").read_text(encoding="utf-8")
