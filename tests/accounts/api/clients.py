"""Programs that ask the API on someone's behalf."""

from rest_framework.test import APIClient

from apps.accounts import services
from apps.accounts.models import User


def api_as(person: User) -> APIClient:
    """With a real access token, so that every request passes the whole door."""
    return APIClient(headers={"authorization": f"Bearer {services.issue_tokens(person).access}"})
