from django.urls import path

from apps.calls import views

app_name = "calls"
urlpatterns = [
    path("", views.call_list, name="list"),
    path("<int:pk>/", views.call_detail, name="detail"),
    path("<int:pk>/disposition/", views.correct_disposition, name="correct-disposition"),
    path("<int:pk>/end/", views.end_call, name="end"),
]
