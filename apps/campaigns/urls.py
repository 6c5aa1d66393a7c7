from django.urls import path

from apps.campaigns import views

app_name = "campaigns"
urlpatterns = [
    path("", views.campaign_list, name="list"),
    path("new/", views.campaign_new, name="new"),
    path("<int:pk>/", views.campaign_detail, name="detail"),
    path("<int:pk>/people/", views.campaign_people, name="people"),
    path("<int:pk>/setup/", views.campaign_setup, name="setup"),
    path("<int:pk>/history/", views.campaign_history, name="history"),
    path("<int:pk>/edit/", views.campaign_edit, name="edit"),
    path("<int:pk>/<slug:action>/", views.campaign_act, name="act"),
]
