"""A stack whose processes are killed, and a campaign to kill them in.

The stack looks for what was left behind sooner than it does by default, by settings that any operator may set.
"""

from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from apps.calls.models import Call, Leg
from apps.calls.states import Outcome
from apps.campaigns import services
from apps.campaigns.models import Campaign, CampaignContact, DialAttempt
from apps.campaigns.states import AttemptState, CampaignState, ContactState
from apps.cockpit.demo.seeding import AREA_CODES, ZONES
from apps.contacts.models import ZoneSource
from tests.factories.calls import make_disposition
from tests.factories.campaigns import make_campaign, make_retry_rule
from tests.factories.contacts import make_contact
from tests.stack import Stack, show_logs_of_failure, wait_for

SPEED = 5.0
SOON = {
    "CARRIER_TIMEOUT_S": "2",
    "DIAL_AGAIN_S": "3",
    "LEG_QUIET_S": "9",
    "LEG_UNKNOWN_S": "6",
    "RECONCILE_EVERY_S": "2",
    "VOICE_AI_TRIES_BEFORE_FAILOVER": "1",
}
# The last two digits of a number choose who answers; see apps/sandbox/README.md.
# First those who talk for a while: as many as there are calls at once, so that others still wait when they talk.
MIX = ("00", "32", "63", "35", "61", "03", "26", "12", "46", "86", "14", "69")

_places = count()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "drills" in item.path.parts:
            is_storm = item.get_closest_marker("storm") is not None
            if not is_storm:
                item.add_marker(pytest.mark.drill)
            item.add_marker(pytest.mark.timeout(900 if is_storm else 360))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    show_logs_of_failure(item, report)
    return report


@pytest.fixture(scope="package")
def _running_stack(django_db_blocker) -> Iterator[Stack]:
    with Stack("drill", speed=SPEED, environment=SOON).running() as stack:
        with django_db_blocker.unblock(), stack.connected():
            for code in ("interested", "not_interested", "opt_out", "callback", "voicemail", "wrong_person"):
                make_disposition(code)
        yield stack


@pytest.fixture
def stack(_running_stack, django_db_blocker) -> Iterator[Stack]:
    """Everything up; this test's ORM, cache and Celery speak to it."""
    with django_db_blocker.unblock(), _running_stack.connected():
        _running_stack.revive()
        _running_stack.wait_until_ready()
        yield _running_stack


@dataclass
class Drill:
    """A campaign under way, and what must hold at its end whatever happened meanwhile.

    revived: processes that ended by themselves and were started again, as a supervisor would.
    """

    stack: Stack
    campaign: Campaign
    revived: set[str] = field(default_factory=set)

    @property
    def phones(self) -> set[str]:
        return set(self.campaign.people.values_list("contact__phone", flat=True))

    def legs(self) -> list[Leg]:
        return list(Leg.objects.filter(call__attempt__campaign=self.campaign).select_related("call"))

    def wait_until(self, n_placed: int, n_talking: int) -> None:
        """Until so many calls are with the carrier, and so many of them in conversation at once."""

        def is_under_way() -> bool:
            legs = self.legs()
            with_carrier = [leg for leg in legs if leg.carrier_call_id]
            talking = [leg for leg in with_carrier if leg.media_opened_at and not leg.ended_at]
            return len(with_carrier) >= n_placed and len(talking) >= n_talking

        wait_for(is_under_way, "the campaign is under way", timeout_s=90)
        assert self.campaign.people.filter(state=ContactState.PENDING).exists(), "there is still something to lose"

    def wait_until_completed(self, timeout_s: float = 240) -> None:
        def is_completed() -> bool:
            self.revived.update(self.stack.revive())
            self.campaign.refresh_from_db()
            return self.campaign.state == CampaignState.COMPLETED

        wait_for(is_completed, f"the campaign completes {self._standing()}", timeout_s=timeout_s)

    def check(self) -> None:
        """Nobody dialled twice for one attempt, nobody lost, no slot taken: by the carrier's own account."""
        people = list(self.campaign.people.select_related("contact"))
        for person in people:
            assert person.state in {ContactState.DONE, ContactState.CALLBACK, ContactState.BLOCKED}, person.state
            assert person.outcome
            assert person.settled_at if person.state == ContactState.DONE else person.next_attempt_at > timezone.now()

        truth = self.stack.carrier("calls")
        placed = Counter(entry["to"] for entry in truth["creates"] if entry.get("sid") and entry["to"] in self.phones)
        legs = self.legs()
        known = Counter(leg.to_number for leg in legs if leg.carrier_call_id)
        assert placed == known, "each call the carrier took is the one call of one attempt"
        theirs = {call["sid"] for call in truth["calls"] if call["to"] in self.phones}
        assert theirs == {leg.carrier_call_id for leg in legs if leg.carrier_call_id}
        assert not [leg for leg in legs if leg.carrier_call_id and leg.outcome == Outcome.NOT_PLACED]
        # What never got to the carrier is no attempt that counts.
        counted = Counter(leg.to_number for leg in legs if leg.outcome != Outcome.NOT_PLACED)
        assert {person.contact.phone: person.n_attempts for person in people} == dict(counted)

        assert not DialAttempt.objects.filter(campaign=self.campaign, state=AttemptState.CLAIMED).exists()
        assert not Leg.objects.live().exists()
        assert not Call.objects.live().exists()
        assert truth["n_live"] == 0
        for leg in legs:
            assert leg.call.outcome
            assert leg.call.end_reason

    def _standing(self) -> str:
        people = Counter(CampaignContact.objects.filter(campaign=self.campaign).values_list("state", flat=True))
        return f"(when we began to wait: {dict(people)})"


def fill(campaign: Campaign, endings: Iterable[str]) -> None:
    """Put one person per ending on the campaign's list."""
    for ending in endings:
        n = next(_places)
        make_contact(
            campaign.contact_list,
            phone=f"+1{AREA_CODES[n % len(AREA_CODES)]}555{n // len(AREA_CODES) % 10}1{ending}",
            time_zone=_midday_zone(),
            zone_source=ZoneSource.GIVEN,
            language=("en", "es", "cs")[min(int(ending) // 30, 2)] if int(ending) < 90 else "en",
        )


@pytest.fixture
def start(stack):
    """start(endings): a running campaign to one person per ending."""

    def start_campaign(endings=MIX, *, max_concurrent=6, calls_per_second=4) -> Drill:
        campaign = make_campaign(max_concurrent=max_concurrent, calls_per_second=calls_per_second, ring_timeout_s=15)
        make_retry_rule(campaign, "busy", delay_s=2, max_attempts=2)
        fill(campaign, endings)
        services.start(campaign_id=campaign.pk, by=None)
        return Drill(stack, campaign)

    return start_campaign


def _midday_zone() -> str:
    now = timezone.now()
    return min(ZONES, key=lambda zone: abs(now.astimezone(ZoneInfo(zone)).hour - 12))
