"""What a person sees of messages."""

from apps.accounts.models import User
from apps.accounts.permissions import allowed
from apps.accounts.roles import Permission
from apps.messaging.models import Message, MessageQuerySet


def messages_visible_to(user: User) -> MessageQuerySet:
    """All messages this user may read, newest first; none without the permission."""
    messages = Message.objects.select_related("contact", "number", "created_by")
    return messages if allowed(user, Permission.MESSAGES_VIEW) else messages.none()
