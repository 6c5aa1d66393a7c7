"""The back office: Django's admin, grouped by what people do."""

from django.contrib.admin.apps import AdminConfig


class CallCentreAdminConfig(AdminConfig):
    default_site = "django.contrib.admin.AdminSite"
