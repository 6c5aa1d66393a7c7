"""Money: dated prices, parts that add up, nothing lost to rounding."""

from datetime import UTC, date, datetime
from decimal import Decimal
from types import SimpleNamespace

import pytest
from django.utils import timezone
from structlog.testing import capture_logs

from apps.calls import costs
from apps.calls.models import Call, CostItem
from tests.factories.calls import make_call, make_leg, make_price

pytestmark = pytest.mark.django_db


def amounts(call: Call) -> dict[str, tuple[int, Decimal]]:
    return {item.part: (item.quantity, item.amount) for item in CostItem.objects.filter(call=call)}


def test_usage_adds_up_per_part():
    call = make_call()
    make_price("openai", "audio_in", "32", model="m")
    make_price("openai", "audio_out", "64", model="m")
    costs.record_usage(call.pk, service="openai", model="m", usage={"audio_in": 1000, "audio_out": 500, "text_in": 0})
    costs.record_usage(call.pk, service="openai", model="m", usage={"audio_in": 500})
    assert amounts(call) == {"audio_in": (1500, Decimal("0.048")), "audio_out": (500, Decimal("0.032"))}
    assert call.cost == pytest.approx(0.08)


def test_a_thousand_single_tokens_cost_as_much_as_a_thousand_at_once():
    drop_by_drop, at_once = make_call(), make_call()
    make_price("openai", "cached_in", "0.4", model="m")
    for _ in range(100):
        costs.record_usage(drop_by_drop.pk, service="openai", model="m", usage={"cached_in": 10})
    costs.record_usage(at_once.pk, service="openai", model="m", usage={"cached_in": 1000})
    assert amounts(drop_by_drop) == amounts(at_once) == {"cached_in": (1000, Decimal("0.0004"))}


def test_the_newest_price_in_force_holds_and_the_models_own_before_the_services():
    make_price("openai", "text_in", "9", valid_from=date(2026, 6, 1))
    make_price("openai", "text_in", "5", model="m", valid_from=date(2026, 1, 1))
    make_price("openai", "text_in", "4", model="m", valid_from=date(2026, 2, 1))
    make_price("openai", "text_in", "1", model="m", valid_from=date(2999, 1, 1))
    prices = costs.prices_for("openai", "m", on=timezone.now().date())
    assert prices["text_in"].amount == 4
    assert costs.prices_for("openai", "other", on=timezone.now().date())["text_in"].amount == 9
    assert costs.prices_for("openai", "m", on=date(2026, 1, 15))["text_in"].amount == 5


def test_use_without_a_price_is_counted_all_the_same():
    call = make_call()
    costs.record_usage(call.pk, service="openai", model="new", usage={"text_out": 10})
    assert amounts(call) == {"text_out": (10, Decimal(0))}


def test_a_missing_price_is_told_once_a_day_and_not_with_every_call(monkeypatch):
    costs._tell_missing.cache_clear()
    leg = make_leg("answered")
    clock = SimpleNamespace(now=lambda: datetime(2026, 11, 22, 12, 0, tzinfo=UTC))
    monkeypatch.setattr(costs, "timezone", clock)
    with capture_logs() as logs:
        for _ in range(3):
            costs.record_usage(leg.call_id, service="openai", model="new", usage={"text_out": 10, "text_in": 5})
            costs.record_carrier(leg, duration_s=10)
        costs.record_usage(leg.call_id, service="openai", model="newer", usage={"text_out": 10})
        clock.now = lambda: datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
        costs.record_carrier(leg, duration_s=10)
    told = [(line["service"], line["model"], line["part"]) for line in logs if line["event"] == "price_missing"]
    assert told == [
        *(("openai", "new", "text_out"), ("openai", "new", "text_in"), ("twilio", "", "carrier")),
        *(("openai", "newer", "text_out"), ("twilio", "", "carrier")),
    ]


def test_transcription_may_be_priced_by_the_second():
    call = make_call()
    make_price("openai", "transcription", "0.006", model="w", unit="minute")
    costs.record_usage(call.pk, service="openai", model="w", usage={"transcription": 90})
    assert amounts(call) == {"transcription": (90, Decimal("0.009"))}


def test_unknown_parts_and_calls_are_refused():
    with pytest.raises(ValueError, match="thoughts"):
        costs.record_usage(make_call().pk, service="openai", model="m", usage={"thoughts": 3})
    with pytest.raises(Call.DoesNotExist):
        costs.record_usage(10**9, service="openai", model="m", usage={"text_in": 3})
