from django.urls import path

from apps.calls import recording_views, views

app_name = "calls"
urlpatterns = [
    path("", views.call_list, name="list"),
    path("<int:pk>/", views.call_detail, name="detail"),
    path("<int:pk>/disposition/", views.correct_disposition, name="correct-disposition"),
    path("<int:pk>/verdict/", views.correct_verdict, name="correct-verdict"),
    path("<int:pk>/review/", views.review_again, name="review-again"),
    path("<int:pk>/recording/<slug:act>/", recording_views.control_recording, name="control-recording"),
    path("recordings/<int:pk>/", recording_views.recording_sound, name="recording"),
    path("<int:pk>/end/", views.end_call, name="end"),
]
