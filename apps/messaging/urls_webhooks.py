"""What carriers tell about texts. No trailing slash: a redirect would turn their POST into a GET."""

from django.urls import path

from apps.messaging import webhooks

app_name = "text-hooks"
urlpatterns = [
    path("twilio/texts/inbound", webhooks.twilio_inbound, name="twilio-inbound"),
    path("twilio/texts/status/<str:token>", webhooks.twilio_status, name="twilio-status"),
    path("telnyx/texts", webhooks.telnyx_inbound, name="telnyx-inbound"),
    path("telnyx/texts/<str:token>", webhooks.telnyx_status, name="telnyx-status"),
]
