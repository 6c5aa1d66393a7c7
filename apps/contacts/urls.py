from django.urls import path

from apps.contacts import views

app_name = "contacts"
urlpatterns = [
    path("", views.contact_list, name="list"),
    path("lists/", views.lists, name="lists"),
    path("<int:pk>/", views.contact_detail, name="detail"),
    path("<int:pk>/opt-out/", views.opt_out_contact, name="opt-out"),
    path("dnc/", views.dnc, name="dnc"),
]
