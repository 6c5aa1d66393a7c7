"""Prometheus metrics of text messages. No Django here."""

from prometheus_client import Counter

MESSAGES_CREATED = Counter("callcentre_messages_created_total", "Text messages asked for.", ["channel"])
MESSAGES_REFUSED = Counter("callcentre_messages_refused_total", "Text messages the rules did not allow.", ["reason"])
MESSAGES_SENT = Counter("callcentre_messages_sent_total", "Text messages a carrier accepted.", ["carrier"])
MESSAGES_FINISHED = Counter(
    "callcentre_messages_finished_total", "Text messages whose fate is known.", ["carrier", "state"]
)
MESSAGES_UNKNOWN = Counter(
    "callcentre_messages_unknown_total", "Requests to send that a carrier did not answer in time.", ["carrier"]
)
MESSAGES_RECEIVED = Counter("callcentre_messages_received_total", "Text messages from people.", ["carrier", "keyword"])
