from django.urls import path

from apps.messaging import views

app_name = "messaging"
urlpatterns = [
    path("", views.message_list, name="list"),
    path("contact/<int:pk>/", views.send_to_contact, name="send"),
]
