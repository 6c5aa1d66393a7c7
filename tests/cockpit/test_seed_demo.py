"""The demo dials where nobody is rung, and waits elsewhere."""

import json

import pytest
from django.core.management import call_command

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
