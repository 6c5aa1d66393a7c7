"""Three minutes of everything at once: fifty calls, and a carrier and providers that fail at random all the time."""

import random
import re
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator

import pytest

from apps.calls.models import Call, CallEvent, Leg, Provider, VoiceAIFallback
from apps.campaigns import services
from apps.campaigns.models import CampaignContact, DialAttempt
from apps.campaigns.states import AttemptState, CampaignState, ContactState
from config.run import pidfile
from tests.drills.conftest import MIX, SOON, Drill, fill
from tests.drills.test_cells import sandbox_ai
from tests.factories.calls import make_disposition, make_virtual_agent
from tests.factories.campaigns import make_campaign
from tests.stack import Stack, wait_for

pytestmark = pytest.mark.storm

FOR_S = 180.0
N_AT_ONCE = 50
N_PEOPLE = 600
TALKERS = MIX[:7]  # who answer and talk for a while: others are over before there are fifty
# What is ordered at random, some of it each second; README.md of the sandbox says what each does.
CARRIER = (
    {"kind": "rest_429", "times": 2, "retry_after_s": 1},
    {"kind": "rest_500", "times": 1},
    {"kind": "rest_timeout", "times": 1, "hold_s": 4},
    {"kind": "rest_reset", "times": 1},
    {"kind": "callback_duplicate", "times": 5},
    {"kind": "callback_reorder", "times": 3},
    {"kind": "callback_drop", "times": 1},
    {"kind": "callback_delay", "times": 3, "delay_s": 3},
    {"kind": "media_drop", "times": 1, "after_s": 4},
    {"kind": "media_garbage", "times": 1, "variant": "not_json"},
    {"kind": "media_garbage", "times": 1, "variant": "missing_fields"},
)
PROVIDER = (
    {"kind": "disconnect", "live": True, "sessions": 2, "now": True},
    {"kind": "refuse", "sessions": 1, "status": 429},
    {"kind": "refuse", "sessions": 1, "status": 503},
    {"kind": "slow", "sessions": 2, "delay_ms": 1500},
    {"kind": "garbage", "sessions": 2},
    {"kind": "response_failed", "sessions": 1},
)


@pytest.fixture
def stack(django_db_blocker) -> Iterator[Stack]:
    """At the pace of the world: fifty conversations are enough for two processors."""
    storm = Stack("storm", environment=SOON | {"MEDIA_MAX_CALLS": "100"})
    with storm.running() as stack, django_db_blocker.unblock(), stack.connected():
        for code in ("interested", "not_interested", "opt_out", "callback", "voicemail", "wrong_person"):
            make_disposition(code)
        yield stack


def _media(stack: Stack) -> tuple[dict[str, float], float]:
    """What the media process says of itself, and its memory in MB."""
    with urllib.request.urlopen(f"http://127.0.0.1:{stack.switches.media_port}/metrics", timeout=20) as answer:
        text = answer.read().decode()
    found = re.findall(r"^(callcentre_media_(?:calls|tasks)) (\S+)$", text, re.MULTILINE)
    process = pidfile.left_over(stack.layout.pids / "media.json")
    assert process is not None, "the media process runs"
    return {name: float(value) for name, value in found}, process.memory_info().rss / 2**20


def test_nothing_is_stuck_or_lost_after_three_minutes_of_random_trouble(stack, capsys):
    chance = random.Random(20261122)
    agent = make_virtual_agent(provider=Provider.OPENAI)
    VoiceAIFallback.objects.create(virtual_agent=agent, provider=Provider.GEMINI)
    campaign = make_campaign(virtual_agent=agent, max_concurrent=N_AT_ONCE, calls_per_second=12, ring_timeout_s=15)
    fill(campaign, [TALKERS[n % len(TALKERS)] for n in range(N_PEOPLE)])
    quiet, _ = _media(stack)
    services.start(campaign_id=campaign.pk, by=None)
    drill = Drill(stack, campaign)

    wait_for(lambda: Leg.objects.live().count() >= N_AT_ONCE * 0.9, "there is load", timeout_s=90)

    began, ordered, live, memory = time.monotonic(), Counter[str](), [], []
    while (past_s := time.monotonic() - began) < FOR_S:
        time.sleep(2)
        fault = chance.choice(CARRIER)
        stack.carrier("faults", fault)
        ordered[fault["kind"]] += 1
        if len(live) % 2:
            fault = chance.choice(PROVIDER)
            sandbox_ai(stack, "faults", fault)
            ordered[fault["kind"]] += 1
        live.append(Leg.objects.live().count())
        if past_s > FOR_S / 3:
            memory.append(_media(stack)[1])
    stack.carrier("faults", method="DELETE")
    sandbox_ai(stack, "faults", method="DELETE")
    services.stop(campaign_id=campaign.pk, by=None)

    def is_quiet() -> bool:
        return not Call.objects.live().exists() and not DialAttempt.objects.filter(state=AttemptState.CLAIMED).exists()

    wait_for(is_quiet, "every call has ended and is settled", timeout_s=180)
    wait_for(lambda: _media(stack)[0]["callcentre_media_calls"] == 0, "no place is taken", timeout_s=30)
    wait_for(
        lambda: _media(stack)[0]["callcentre_media_tasks"] <= quiet["callcentre_media_tasks"],
        f"no task is left but the {quiet['callcentre_media_tasks']:g} there were",
        timeout_s=60,
    )
    assert stack.carrier("calls")["n_live"] == 0
    assert not drill.revived | set(stack.revive()), "no process has ended by itself"
    calls = list(Call.objects.all())
    assert [call.pk for call in calls if not call.outcome or not call.end_reason] == []
    assert not Leg.objects.live().exists()
    assert not CampaignContact.objects.filter(state=ContactState.DIALLING).exists()
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.STOPPED
    third = max(1, len(memory) // 4)
    first, last = sum(memory[:third]) / third, sum(memory[-third:]) / third
    kinds = CallEvent.objects.order_by().values_list("kind", flat=True)
    report = [
        f"{len(calls)} calls, {max(live)} at once at most, {sum(live) / len(live):.0f} on average",
        f"ordered: {dict(ordered)}",
        f"outcomes: {dict(Counter(call.outcome for call in calls))}",
        f"reasons: {dict(Counter(call.end_reason for call in calls))}",
        f"events: {dict(Counter(kinds))}",
        f"media process: {first:.0f} MB after a minute, {last:.0f} MB at the end",
    ]
    with capsys.disabled():
        print("", *report, sep="\n")  # noqa: T201 - figures for those who run it
    assert last <= first * 1.15 + 10, "memory is flat"
