"""``manage.py seed_demo``: people, a virtual agent and a campaign to watch."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from apps.cockpit.demo import seeding


class Command(BaseCommand):
    help = "Write the demo's data, once however often it runs; the next round when the last one is completed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--start", action="store_true", help="start the demo campaign, or go on with it")
        parser.add_argument("--pause", action="store_true", help="only pause the demo campaign, if it is under way")

    def handle(self, *args: Any, start: bool, pause: bool, **options: Any) -> None:
        if pause:
            if seeding.pause():
                self.stdout.write("The demo campaign is paused.")
            return
        try:
            logins = seeding.read_logins(settings.DEMO_LOGINS_FILE)
        except (OSError, ValueError) as error:
            raise CommandError(f"DEMO_LOGINS_FILE cannot be read: {error}") from error
        seeded = seeding.seed(logins=logins, now=timezone.now())
        if start:
            seeding.start(seeded.campaign)
        self.stdout.write(f"{seeded.campaign.name}: {seeded.n_contacts} contacts{', started' if start else ''}.")
