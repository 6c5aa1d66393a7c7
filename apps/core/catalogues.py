"""The message catalogues: read from the sources, kept in locale/, compiled; without GNU gettext.

English text in the sources is the msgid. Plural forms are Django's own, so that its catalogues and ours count alike.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from babel.messages import extract as babel_extract
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

PLURALS = {
    "es": "nplurals=3; plural=n == 1 ? 0 : n != 0 && n % 1000000 == 0 ? 1 : 2;",
    "cs": (
        "nplurals=4; plural=(n == 1 && n % 1 == 0) ? 0 : (n >= 2 && n <= 4 && n % 1 == 0) ? 1: (n % 1 != 0 ) ? 2 : 3;"
    ),
}
# Babel's way of saying which argument is what: its number, with "c" for the context.
KEYWORDS: dict[str, tuple[int | tuple[int, str], ...] | None] = {
    **dict.fromkeys(("_", "gettext", "gettext_lazy", "gettext_noop"), None),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), (1, 2)),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), ((1, "c"), 2)),
    **dict.fromkeys(("npgettext", "npgettext_lazy"), ((1, "c"), 2, 3)),
}
_PLACEHOLDER = re.compile(r"%\(\w+\)[#0\- +]*\d*(?:\.\d+)?[a-zA-Z]|%[sdif]|\{\w*\}")


@dataclass(frozen=True, slots=True)
class Found:
    """One message in the sources. plural and context are "" where there is none; file is relative to the root."""

    singular: str
    plural: str
    context: str
    file: str

    @property
    def key(self) -> tuple[str, str]:
        return self.singular, self.context


def sources(root: Path) -> Iterator[Path]:
    """Everything that may hold text for people: Python of apps and config, and templates."""
    for folder in ("apps", "config"):
        for path in sorted((root / folder).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path
    for folder in ("apps", "templates"):
        for ending in ("*.html", "*.txt"):
            yield from sorted((root / folder).rglob(ending))


def messages_in(source: str, *, is_template: bool) -> Iterator[tuple[str, str, str]]:
    """(singular, plural, context) of each message in one source."""
    if is_template:
        # What stands between the tags comes back as rows of X; their indentation means nothing in Python.
        source = "\n".join(line.lstrip() for line in templatize(source).splitlines()) + "\n"
    for _line, text, _comments, context in babel_extract.extract("python", BytesIO(source.encode()), KEYWORDS):
        singular, plural = (text, "") if isinstance(text, str) else (text[0], text[1])
        yield singular, plural, context or ""


def extract(root: Path) -> dict[tuple[str, str], list[Found]]:
    """All messages of the project by (msgid, context)."""
    found: dict[tuple[str, str], list[Found]] = {}
    for path in sources(root):
        name = path.relative_to(root).as_posix()
        text = path.read_text(encoding="utf-8")
        for singular, plural, context in messages_in(text, is_template=path.suffix != ".py"):
            message = Found(singular, plural, context, name)
            found.setdefault(message.key, []).append(message)
    return found


def catalogue_path(root: Path, language: str) -> Path:
    return root / "locale" / language / "LC_MESSAGES" / "django.po"


def read_catalogue(root: Path, language: str) -> Catalog:
    """What is on disk, or an empty catalogue with Django's plural forms."""
    path = catalogue_path(root, language)
    if path.exists():
        return read_po(BytesIO(path.read_bytes()), locale=language)
    header = (
        'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n'
        f'"Language: {language}\\n"\n"Plural-Forms: {PLURALS[language]}\\n"\n'
    )
    return read_po(BytesIO(header.encode()), locale=language)


def merge(known: Catalog, found: dict[tuple[str, str], list[Found]]) -> Catalog:
    """The catalogue with exactly the messages found: translations kept, new ones empty, vanished ones gone."""
    fresh = Catalog(locale=known.locale, fuzzy=False, charset="utf-8")
    fresh.mime_headers = [
        ("Language", str(known.locale)),
        ("MIME-Version", "1.0"),
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Transfer-Encoding", "8bit"),
        ("Plural-Forms", PLURALS[str(known.locale)]),
    ]
    fresh.revision_date = fresh.creation_date = datetime(2026, 1, 1, tzinfo=UTC)  # a date here only makes conflicts
    for (singular, context), places in sorted(found.items(), key=lambda item: (item[1][0].file, item[0])):
        plural = next((place.plural for place in places if place.plural), "")
        old = known.get(singular, context or None)
        identity = (singular, plural) if plural else singular
        fresh.add(
            identity,
            string=_carried_over(old, n_forms=fresh.num_plurals if plural else 0),
            locations=[(file, 0) for file in sorted({place.file for place in places})],
            flags=[flag for flag in old.flags if flag == "fuzzy"] if old else [],
            context=context or None,
        )
    return fresh


def _carried_over(old: Message | None, *, n_forms: int) -> str | tuple[str, ...]:
    """The old translation, in the shape the message has now."""
    strings = _strings(old) if old else [""]
    if not n_forms:
        return strings[0] if len(strings) == 1 else ""
    return tuple(strings) if len(strings) == n_forms else ("",) * n_forms


def write_catalogue(root: Path, language: str, catalogue: Catalog) -> None:
    path = catalogue_path(root, language)
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = BytesIO()
    write_po(buffer, catalogue, width=110, include_lineno=False, omit_header=True)
    headers = "".join(f'"{name}: {value}\\n"\n' for name, value in _stable_headers(catalogue))
    path.write_bytes(f'msgid ""\nmsgstr ""\n{headers}\n'.encode() + buffer.getvalue())


def _stable_headers(catalogue: Catalog) -> list[tuple[str, str]]:
    """The header without dates and tool names, which change without anything having changed."""
    language = str(catalogue.locale)
    return [
        ("Language", language),
        ("MIME-Version", "1.0"),
        ("Content-Type", "text/plain; charset=UTF-8"),
        ("Content-Transfer-Encoding", "8bit"),
        ("Plural-Forms", PLURALS[language]),
    ]


def compile_catalogue(root: Path, language: str) -> Path:
    """Write the .mo beside the .po; it is put in place at once, since running processes read it."""
    target = catalogue_path(root, language).with_suffix(".mo")
    target.parent.mkdir(parents=True, exist_ok=True)
    buffer = BytesIO()
    write_mo(buffer, read_catalogue(root, language), use_fuzzy=False)
    draft = target.with_suffix(".mo.new")
    draft.write_bytes(buffer.getvalue())
    draft.replace(target)
    return target


def problems(root: Path, language: str, found: dict[tuple[str, str], list[Found]]) -> list[str]:
    """What keeps a language from being complete: one line each, empty when it is."""
    catalogue = read_catalogue(root, language)
    known = {(_singular(message), message.context or ""): message for message in catalogue if message.id}
    lines = [f"{language}: missing: {key[0]!r} ({found[key][0].file})" for key in found if key not in known]
    lines += [f"{language}: no longer used: {key[0]!r}" for key in known if key not in found]
    lines += [f"{language}: no longer used: {message.id!r}" for message in catalogue.obsolete.values()]
    if str(catalogue.plural_forms) != PLURALS[language] and known:
        lines.append(f"{language}: plural forms are not Django's: {catalogue.plural_forms}")
    for key, message in known.items():
        if key in found:
            lines += [f"{language}: {problem}: {key[0]!r}" for problem in _faults(message, catalogue.num_plurals)]
    return lines


def _strings(message: Message) -> list[str]:
    """A message's translations, one per plural form; "" where there is none yet."""
    known = message.string
    return [text or "" for text in known] if isinstance(known, tuple | list) else [known or ""]


def _singular(message: Message) -> str:
    return str(message.id[0] if isinstance(message.id, tuple | list) else message.id)


def _faults(message: Message, n_plurals: int) -> Iterable[str]:
    strings = _strings(message)
    if message.fuzzy:
        yield "fuzzy"
    if not all(strings) or (isinstance(message.id, tuple | list) and len(strings) != n_plurals):
        yield "untranslated"
        return
    identities = list(message.id) if isinstance(message.id, tuple | list) else [message.id]
    wanted = {frozenset(_PLACEHOLDER.findall(text)) for text in identities}
    if any(frozenset(_PLACEHOLDER.findall(text)) not in wanted for text in strings):
        yield "placeholders differ"
    edges = [(text.startswith("\n"), text.endswith("\n")) for text in identities]
    if any((text.startswith("\n"), text.endswith("\n")) not in edges for text in strings):
        yield "line breaks at the ends differ"
