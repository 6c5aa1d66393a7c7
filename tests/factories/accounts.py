"""People who log in."""

from apps.accounts.models import Language, Role, User

PASSWORD = "correct-horse-battery"


def make_user(username: str = "", *, role: str = Role.AGENT, language: str = Language.ENGLISH, **fields) -> User:
    """A user who can log in with PASSWORD."""
    username = username or f"user{User.objects.count() + 1}"
    return User.objects.create_user(username, password=PASSWORD, role=role, language=language, **fields)
