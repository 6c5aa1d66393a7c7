"""``manage.py messages extract|compile|check``: the catalogues of locale/, without GNU gettext."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.core import catalogues


class Command(BaseCommand):
    help = "Keep the translations in locale/: extract new texts, compile what is there, check that nothing is missing."
    requires_system_checks: list[str] = []  # compiling comes before anything else works
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["extract", "compile", "check"])

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        root = Path(settings.BASE_DIR)
        languages = [code for code, _name in settings.LANGUAGES if code in catalogues.PLURALS]
        getattr(self, f"_{action}")(root, languages)

    def _extract(self, root: Path, languages: list[str]) -> None:
        found = catalogues.extract(root)
        for language in languages:
            merged = catalogues.merge(catalogues.read_catalogue(root, language), found)
            catalogues.write_catalogue(root, language, merged)
            n_open = sum(1 for message in merged if message.id and not _is_complete(message.string))
            self.stdout.write(f"{language}: {len(found)} texts, {n_open} to translate")

    def _compile(self, root: Path, languages: list[str]) -> None:
        for language in languages:
            self.stdout.write(str(catalogues.compile_catalogue(root, language).relative_to(root)))

    def _check(self, root: Path, languages: list[str]) -> None:
        found = catalogues.extract(root)
        lines = [line for language in languages for line in catalogues.problems(root, language, found)]
        if lines:
            raise CommandError("\n".join([*lines, f"{len(lines)} problems. See `manage.py messages extract`."]))
        self.stdout.write(f"{len(found)} texts, complete in {', '.join(languages)}")


def _is_complete(string: object) -> bool:
    return all(string) if isinstance(string, tuple | list) else bool(string)
