"""What carriers ask and tell. No trailing slash: a redirect would turn their POST into a GET."""

from django.urls import path

from apps.calls.webhooks import telnyx, twilio

app_name = "hooks"
urlpatterns = [
    path("twilio/answer/<str:token>", twilio.answer, name="twilio-answer"),
    path("twilio/status/<str:token>", twilio.status, name="twilio-status"),
    path("twilio/amd/<str:token>", twilio.amd, name="twilio-amd"),
    path("twilio/stream/<str:token>", twilio.stream, name="twilio-stream"),
    path("twilio/after-stream/<str:token>/<int:n_lost>", twilio.after_stream, name="twilio-after-stream"),
    path("twilio/transferred/<str:token>", twilio.transferred, name="twilio-transferred"),
    path("twilio/recording/<str:token>", twilio.recording, name="twilio-recording"),
    path("twilio/inbound", twilio.inbound_call, name="twilio-inbound"),
    path("twilio/inbound-status", twilio.inbound_status, name="twilio-inbound-status"),
    path("telnyx/leg/<str:token>", telnyx.leg_events, name="telnyx-leg"),
    path("telnyx/events", telnyx.events, name="telnyx-events"),
]
