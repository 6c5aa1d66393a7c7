"""What carriers ask and tell. No trailing slash: a redirect would turn their POST into a GET."""

from django.urls import path

from apps.calls import webhooks

app_name = "hooks"
urlpatterns = [
    path("twilio/answer/<str:token>", webhooks.twilio_answer, name="twilio-answer"),
    path("twilio/status/<str:token>", webhooks.twilio_status, name="twilio-status"),
    path("twilio/amd/<str:token>", webhooks.twilio_amd, name="twilio-amd"),
    path("twilio/stream/<str:token>", webhooks.twilio_stream, name="twilio-stream"),
    path("twilio/after-stream/<str:token>", webhooks.twilio_after_stream, name="twilio-after-stream"),
    path("twilio/inbound", webhooks.twilio_inbound, name="twilio-inbound"),
]
