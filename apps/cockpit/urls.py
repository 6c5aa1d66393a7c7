from django.urls import path

from apps.cockpit import views

app_name = "cockpit"
urlpatterns = [
    path("", views.live, name="live"),
    path("home/", views.home, name="home"),
    path("search/", views.search, name="search"),
    path("calls/<int:pk>/panel/", views.panel, name="panel"),
    path("do/<slug:kind>/<int:pk>/<slug:act>/", views.command, name="command"),
]
