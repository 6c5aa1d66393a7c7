"""What a call costs: quantities priced by the dated price table, kept per part."""

import math
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache

import structlog
from django.db import IntegrityError, transaction
from django.db.models import DecimalField, ExpressionWrapper, F, Value
from django.db.models.expressions import Combinable
from django.utils import timezone

from apps.calls.models import Call, CostItem, Leg, Price
from apps.calls.models.cost import Part, Unit

log = structlog.get_logger(__name__)

_PER = {Unit.MINUTE: 60, Unit.MILLION_TOKENS: 1_000_000, Unit.MILLION_CHARACTERS: 1_000_000, Unit.MESSAGE: 1}
_EXACT: "DecimalField[Decimal, Decimal]" = DecimalField(max_digits=24, decimal_places=12)


def prices_for(service: str, model: str, *, on: date) -> dict[str, Price]:
    """The prices in force by part: newest first, a price for the very model before one for the whole service."""
    found: dict[str, Price] = {}
    rows = Price.objects.filter(service=service, model__in={model, ""}, valid_from__lte=on)
    for price in rows.order_by("-model", "-valid_from"):
        found.setdefault(price.part, price)
    return found


def per_unit(price: Price | None) -> Decimal:
    """Money for a single token, second, character or message; 0 without a price."""
    if price is None:
        return Decimal(0)
    return price.amount / _PER[Unit(price.unit)]


def for_started_minutes(price: Price | None, seconds: int) -> Decimal:
    """Money for airtime: carriers bill every started minute. 0 without a price."""
    return price.amount * math.ceil(seconds / 60) if price is not None else Decimal(0)


def record_carrier(leg: Leg, *, duration_s: int) -> None:
    """Add a leg's answered time. Legs of one call add up; each is rounded up to minutes by itself."""
    today = timezone.now().date()
    price = prices_for(leg.carrier, "", on=today).get(Part.CARRIER)
    if price is None:
        _tell_missing(leg.carrier, "", Part.CARRIER, today)
    amount = for_started_minutes(price, duration_s)
    mine = CostItem(call_id=leg.call_id, service=leg.carrier, part=Part.CARRIER, quantity=duration_s, amount=amount)
    _add(mine, F("amount") + amount)


@transaction.atomic
def record_usage(call_id: int, *, service: str, model: str, usage: Mapping[str, int]) -> None:
    """Add what a voice AI used since the last report.

    usage: part (a value of models.cost.Part) → single tokens, or seconds where the part is priced by the minute.
    Adds each time it is called: call it in the transaction that marks the report as taken. Raises Call.DoesNotExist.
    """
    used = {Part(part): quantity for part, quantity in usage.items() if quantity > 0}
    if not used:
        return
    if not Call.objects.filter(pk=call_id).exists():
        raise Call.DoesNotExist
    today = timezone.now().date()
    prices = prices_for(service, model, on=today)
    for part, quantity in used.items():
        price = prices.get(part)
        if price is None:
            _tell_missing(service, model, part, today)
        each = per_unit(price)
        mine = CostItem(call_id=call_id, service=service, model=model, part=part, quantity=quantity)
        mine.amount = each * quantity
        # From the sum, not sum by sum: a token costs less than the smallest amount a row can hold.
        total = ExpressionWrapper((F("quantity") + quantity) * Value(each), output_field=_EXACT)
        _add(mine, total)


@lru_cache(maxsize=1000)
def _tell_missing(service: str, model: str, part: Part, on: date) -> None:
    """Once a day in each process: the cache remembers. A missing price concerns every call there is."""
    log.warning("price_missing", service=service, model=model, part=part.value, day=on.isoformat())


def _add(item: CostItem, grown: Combinable) -> None:
    """Save the item, or let the row that is there grow by its quantity, to the amount ``grown``."""
    mine = CostItem.objects.filter(call_id=item.call_id, service=item.service, model=item.model, part=item.part)
    if mine.update(quantity=F("quantity") + item.quantity, amount=grown):
        return
    try:
        with transaction.atomic():
            item.save()
    except IntegrityError:  # somebody else made the row in between
        mine.update(quantity=F("quantity") + item.quantity, amount=grown)
