from django.urls import path

from apps.accounts.api import views

urlpatterns = [
    path("auth/token/", views.TokenView.as_view(), name="token"),
    path("auth/token/refresh/", views.RefreshView.as_view(), name="token-refresh"),
    path("auth/token/revoke/", views.RevokeView.as_view(), name="token-revoke"),
    path("auth/me/", views.MeView.as_view(), name="me"),
]
