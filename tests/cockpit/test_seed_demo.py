"""The demo dials where nobody is rung, and waits elsewhere."""

import json

import pytest
from django.core.management import call_command
from django.utils import timezone

from apps.calls.costs import prices_for
from apps.calls.models import Number, VirtualAgent
from apps.calls.models.cost import Part
from apps.campaigns.models import Campaign
from apps.campaigns.states import CampaignState


@pytest.fixture
def logins(tmp_path, settings):
    path = tmp_path / "logins.json"
    path.write_text(json.dumps({"alice": {"role": "supervisor", "password": "a-b-c-d"}}), encoding="utf-8")
    settings.DEMO_LOGINS_FILE = str(path)


def _state():
    return Campaign.objects.get().state


@pytest.mark.django_db
def test_a_paused_demo_goes_on_when_it_is_started_again(logins, capsys):
    call_command("seed_demo", "--pause")
    assert not Campaign.objects.exists(), "pausing writes nothing down"
    call_command("seed_demo", "--start")
    assert _state() == CampaignState.RUNNING
    call_command("seed_demo", "--pause")
    assert _state() == CampaignState.PAUSED
    assert "The demo campaign is paused." in capsys.readouterr().out
    call_command("seed_demo", "--pause")
    assert _state() == CampaignState.PAUSED
    call_command("seed_demo")
    assert _state() == CampaignState.PAUSED, "seeding alone starts nothing"
    call_command("seed_demo", "--start")
    assert _state() == CampaignState.RUNNING


@pytest.mark.django_db
def test_the_demo_is_dialled_from_numbers_of_every_carrier_that_is_set_up(logins, settings):
    settings.TELNYX_CONNECTION_ID = ""
    call_command("seed_demo")
    assert set(Campaign.objects.get().numbers.values_list("carrier", flat=True)) == {"twilio"}
    assert Number.objects.filter(carrier="telnyx").exists(), "who calls it is answered all the same"
    Campaign.objects.update(state=CampaignState.COMPLETED)
    settings.TELNYX_CONNECTION_ID = "1"
    call_command("seed_demo")
    assert set(Campaign.objects.latest("pk").numbers.values_list("carrier", flat=True)) == {"twilio", "telnyx"}


# What the demo's carriers and providers may bill: a conversation, a review and a text use these.
_BILLED = {
    ("twilio", ""): {Part.CARRIER, Part.MESSAGE},
    ("telnyx", ""): {Part.CARRIER, Part.MESSAGE},
    ("openai", "gpt-realtime-2.1"): {
        *(Part.AUDIO_IN, Part.AUDIO_OUT, Part.TEXT_IN, Part.TEXT_OUT, Part.CACHED_IN),
    },
    ("openai", "gpt-transcribe"): {Part.TRANSCRIPTION},
    ("openai", "gpt-6-luna"): {Part.TEXT_IN, Part.TEXT_OUT, Part.CACHED_IN},
    ("gemini", "gemini-3.8-live"): {
        *(Part.AUDIO_IN, Part.AUDIO_OUT, Part.TEXT_IN, Part.TEXT_OUT, Part.CACHED_IN),
    },
    ("gemini", "gemini-3.8-flash-lite-tts"): {Part.SPEECH},
    ("deepgram", "nova-3"): {Part.TRANSCRIPTION},
    ("deepgram", "aura-2-thalia-en"): {Part.SPEECH},
}


@pytest.mark.django_db
def test_all_that_the_demo_uses_has_its_price(logins):
    call_command("seed_demo")
    agent = VirtualAgent.objects.get()
    used = {agent.provider, *agent.fallbacks.values_list("provider", flat=True)}
    used |= set(Number.objects.values_list("carrier", flat=True))
    assert used == {service for service, _ in _BILLED}
    for (service, model), parts in _BILLED.items():
        assert parts <= set(prices_for(service, model, on=timezone.now().date())), (service, model)
