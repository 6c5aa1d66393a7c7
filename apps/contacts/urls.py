from django.urls import path

from apps.contacts import import_views, views

app_name = "contacts"
urlpatterns = [
    path("", views.contact_list, name="list"),
    path("lists/", views.lists, name="lists"),
    path("<int:pk>/", views.contact_detail, name="detail"),
    path("<int:pk>/opt-out/", views.opt_out_contact, name="opt-out"),
    path("imports/", import_views.import_list, name="imports"),
    path("imports/new/", import_views.import_new, name="import-new"),
    path("imports/<int:pk>/", import_views.import_detail, name="import"),
    path("imports/<int:pk>/cancel/", import_views.import_cancel, name="import-cancel"),
    path("imports/<int:pk>/report.csv", import_views.import_report, name="import-report"),
    path("dnc/", views.dnc, name="dnc"),
]
