import pytest

from apps.calls.models import VoiceAIFallback
from apps.campaigns import selectors, services
from apps.campaigns.checks import check_voices
from apps.campaigns.errors import CampaignRefused
from apps.campaigns.questions import question
from apps.campaigns.states import CampaignState
from tests.factories.campaigns import make_campaign, make_virtual_agent
from tests.factories.contacts import make_contact


@pytest.fixture
def campaign(db):
    """Of an agent that speaks English and Spanish; one of its people speaks Czech."""
    campaign = make_campaign(n_contacts=2, virtual_agent=make_virtual_agent(provider="deepgram"))
    make_contact(campaign.contact_list, language="cs")
    return campaign


def _warnings():
    return [warning.id for warning in check_voices(None, databases=["default"])]


def test_people_without_a_language_are_spoken_to_in_the_agents(campaign):
    assert selectors.languages_of(campaign) == {campaign.virtual_agent.language, "cs"}


def test_a_campaign_that_nobody_can_speak_for_does_not_start(campaign, alice):
    with pytest.raises(CampaignRefused) as refused:
        services.start(campaign_id=campaign.pk, by=alice)
    assert refused.value.code == "campaign_without_voice"
    assert "Čeština" in str(refused.value)
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.DRAFT
    assert "will not start" in str(question(campaign, "start")["words"][0])
    assert _warnings() == ["campaigns.W001"]


def test_a_second_voice_lets_it_start(campaign, alice):
    campaign.virtual_agent.speech = "gemini:gemini-3.8-flash-lite-tts"
    campaign.virtual_agent.save()
    assert len(question(campaign, "start")["words"]) == 1
    assert _warnings() == []
    services.start(campaign_id=campaign.pk, by=alice)


def test_who_takes_over_is_told_of_before_it_starts(campaign, alice):
    VoiceAIFallback.objects.create(virtual_agent=campaign.virtual_agent, provider="openai")
    assert "another one takes over" in str(question(campaign, "start")["words"][0])
    assert _warnings() == []
    services.start(campaign_id=campaign.pk, by=alice)


def test_a_list_without_such_people_is_no_trouble(alice, db):
    campaign = make_campaign(n_contacts=2, virtual_agent=make_virtual_agent(provider="deepgram"))
    assert len(question(campaign, "start")["words"]) == 1
    services.start(campaign_id=campaign.pk, by=alice)


def test_no_list_is_looked_through_for_an_agent_that_speaks_everything(db, django_assert_num_queries):
    campaign = make_campaign(n_contacts=1)
    with django_assert_num_queries(0):
        assert selectors.voices_missing(campaign) == ""
        assert selectors.voices_lacking(campaign) == ""


def test_the_check_keeps_to_the_database_it_is_asked_about(campaign):
    assert check_voices(None, databases=None) == []
    assert check_voices(None, databases=["other"]) == []
