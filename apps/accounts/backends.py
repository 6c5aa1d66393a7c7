"""Log-in by user name, and Django's own permission names answered from the one table."""

from django.contrib.auth.backends import ModelBackend


class RoleBackend(ModelBackend):
    pass
