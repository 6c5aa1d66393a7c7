from django.urls import path

from apps.cockpit import services_view, views

app_name = "cockpit"
urlpatterns = [
    path("", views.live, name="live"),
    path("home/", views.home, name="home"),
    path("services/", services_view.services, name="services"),
    path("services/reset/", services_view.reset, name="services-reset"),
    path("search/", views.search, name="search"),
    path("calls/<int:pk>/panel/", views.panel, name="panel"),
    path("do/<slug:kind>/<int:pk>/<slug:act>/", views.command, name="command"),
]
