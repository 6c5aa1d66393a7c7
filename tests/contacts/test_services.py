from datetime import timedelta

import pytest
from django.utils import timezone

from apps.contacts.models import Channel, Consent, DncEntry, DncSource
from apps.contacts.services import opt_out
from tests.factories.contacts import make_consent, make_contact

PHONE = "+12125550142"


def test_an_opt_out_bars_the_channels_and_withdraws_their_consents(bob):
    make_contact(phone=PHONE)
    make_consent(PHONE, channel=Channel.SMS)
    make_consent(PHONE, channel=Channel.EMAIL)
    entries = opt_out(
        phone=PHONE, channels=["voice", "sms"], source=DncSource.AI_CALL, call_id=7, by=bob, note="x" * 500
    )
    assert [(entry.channel, entry.call_id, entry.created_by) for entry in entries] == [
        ("sms", 7, bob),
        ("voice", 7, bob),
    ]
    assert set(Consent.objects.filter(withdrawn_at__isnull=True).values_list("channel", flat=True)) == {"email"}


def test_said_twice_the_first_entry_stays(db):
    (first,) = opt_out(phone=PHONE, channels=["voice"], source=DncSource.AI_CALL, note="in a call")
    (again,) = opt_out(phone=PHONE, channels=["voice"], source=DncSource.MANUAL, note="by mail")
    assert again.pk == first.pk
    assert DncEntry.objects.get().note == "in a call"


def test_a_consent_given_later_is_withdrawn_no_earlier_than_it_was_given(db):
    given_at = timezone.now() + timedelta(hours=1)
    make_consent(PHONE, given_at=given_at)
    opt_out(phone=PHONE, channels=["voice"], source=DncSource.MANUAL)
    assert Consent.objects.get().withdrawn_at == given_at


@pytest.mark.parametrize("channels", [[], ["telepathy"]])
def test_no_channel_or_an_unknown_one_is_an_error_and_writes_nothing(db, channels):
    with pytest.raises(ValueError, match="channel|telepathy"):
        opt_out(phone=PHONE, channels=channels, source=DncSource.MANUAL)
    assert not DncEntry.objects.exists()
