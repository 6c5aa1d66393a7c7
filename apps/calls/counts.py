"""How many calls stand where, measured when metrics are read."""

from django.db.models import Count

from apps.calls.metrics import LEGS_LIVE
from apps.calls.models import Leg
from apps.calls.states import LIVE
from apps.core.sampling import sampled


@sampled
def live_legs() -> None:
    counts = dict(Leg.objects.live().order_by().values_list("state").annotate(n=Count("pk")))
    for state in LIVE:
        LEGS_LIVE.labels(state).set(counts.get(state, 0))
