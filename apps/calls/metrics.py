"""Prometheus metrics of calls on the carrier's side. No Django here."""

from prometheus_client import Counter, Gauge, Histogram

_WEBHOOK_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15)
_REQUEST_BUCKETS = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_CALL_BUCKETS = (1, 5, 10, 20, 30, 60, 120, 300, 600, 1800)

CALLS_CREATED = Counter("callcentre_calls_created_total", "Calls that passed the gate and were queued to be dialled.")
LEGS_LIVE = Gauge(
    "callcentre_legs_live", "Legs that have not ended, by where they stand.", ["state"], multiprocess_mode="mostrecent"
)
CALLS_REFUSED = Counter("callcentre_calls_refused_total", "Calls the rules did not allow.", ["reason"])
CALLS_PLACED = Counter("callcentre_calls_placed_total", "Calls a carrier accepted.", ["carrier"])
PLACINGS_UNKNOWN = Counter(
    "callcentre_placings_unknown_total", "Requests for a call that a carrier did not answer in time.", ["carrier"]
)
INBOUND_CALLS = Counter(
    "callcentre_inbound_calls_total", "Calls to our numbers, by what became of them at the door.", ["carrier", "route"]
)
TRANSFERS = Counter(
    "callcentre_transfers_total", "Calls passed on to another number: joined, or failed.", ["carrier", "result"]
)
LEGS_ENDED = Counter("callcentre_legs_ended_total", "Legs that ended.", ["carrier", "outcome"])
LEGS_RECONCILED = Counter(
    "callcentre_legs_reconciled_total", "Legs that the periodic check had to look after.", ["case"]
)
RING_SECONDS = Histogram("callcentre_ring_seconds", "From ringing to answer.", ["carrier"], buckets=_CALL_BUCKETS)
TALK_SECONDS = Histogram("callcentre_talk_seconds", "From answer to end.", ["carrier"], buckets=_CALL_BUCKETS)
CARRIER_REQUEST_SECONDS = Histogram(
    "callcentre_carrier_request_seconds",
    "Requests to a carrier's REST interface.",
    ["carrier", "operation"],
    buckets=_REQUEST_BUCKETS,
)
CARRIER_ERRORS = Counter(
    "callcentre_carrier_errors_total",
    "Requests a carrier refused or did not answer.",
    ["carrier", "operation", "fault"],
)
REVIEWS = Counter("callcentre_call_reviews_total", "Calls given to a language model after their end.", ["result"])
WEBHOOK_SECONDS = Histogram(
    "callcentre_webhook_seconds",
    "Carrier webhooks, from the request to our answer.",
    ["hook"],
    buckets=_WEBHOOK_BUCKETS,
)
WEBHOOK_REPEATS = Counter("callcentre_webhook_repeats_total", "Webhooks that told what was known already.", ["hook"])
