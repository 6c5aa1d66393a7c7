"""Put the icons that templates and scripts name into one file, static/icons.svg, from @tabler/icons."""

import re
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

_ROOT = Path(settings.BASE_DIR)
_LIST = _ROOT / "static" / "icons.txt"
_SPRITE = _ROOT / "static" / "icons.svg"
_SOURCE = _ROOT / "node_modules" / "@tabler" / "icons" / "icons" / "outline"
_HEAD = (
    "<!-- Built by `manage.py build_icons` from static/icons.txt and @tabler/icons (MIT, Copyright Paweł Kuna). -->\n"
    '<svg xmlns="http://www.w3.org/2000/svg" fill="none" stroke="currentColor" stroke-width="1.75"'
    ' stroke-linecap="round" stroke-linejoin="round">\n'
)


class Command(BaseCommand):
    help = "Write static/icons.svg from static/icons.txt; names given here are added to the list first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("names", nargs="*", help="names of Tabler icons to add, for example phone-check")

    def handle(self, *args: Any, **options: Any) -> None:
        names = sorted({*_LIST.read_text(encoding="utf-8").split(), *options["names"]})
        symbols = [self._symbol(name) for name in names]
        _LIST.write_text("\n".join(names) + "\n", encoding="utf-8")
        _SPRITE.write_text(_HEAD + "\n".join(symbols) + "\n</svg>\n", encoding="utf-8")
        self.stdout.write(f"{len(names)} icons")

    def _symbol(self, name: str) -> str:
        try:
            drawing = (_SOURCE / f"{name}.svg").read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise CommandError(f"@tabler/icons has no outline icon {name!r}; see https://tabler.io/icons") from error
        body = re.sub(r".*?<svg[^>]*>|</svg>.*", "", drawing, flags=re.DOTALL)
        body = " ".join(line.strip() for line in body.strip().splitlines())
        return f'<symbol id="{name}" viewBox="0 0 24 24">{body}</symbol>'
