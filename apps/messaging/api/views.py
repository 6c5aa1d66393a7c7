"""Text messages: read them, send one."""

from typing import Any, cast

from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.models import User
from apps.accounts.roles import Permission
from apps.contacts.consent import REASONS
from apps.core.api import error_body
from apps.messaging import selectors
from apps.messaging.api.serializers import MessageSerializer, SendSerializer
from apps.messaging.filters import MessageFilter
from apps.messaging.models import Message, MessageQuerySet
from apps.messaging.services.sending import send_text
from apps.messaging.states import MessageState


class MessageViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Message]):
    """Text messages in and out, newest first."""

    queryset = Message.objects.none()
    serializer_class = MessageSerializer
    lookup_value_converter = "int"
    permission = Permission.MESSAGES_VIEW
    permissions = {"create": Permission.MESSAGES_SEND}
    filterset_class = MessageFilter
    search_fields = ["body", "contact__first_name", "contact__last_name"]
    ordering_fields = ["created_at", "sent_at"]

    def get_queryset(self) -> MessageQuerySet:
        return selectors.messages_visible_to(cast(User, self.request.user)).order_by("-created_at", "-pk")

    @extend_schema(request=SendSerializer, responses={202: MessageSerializer})
    def create(self, request: Request, **kwargs: Any) -> Response:
        """Have a text sent. 409 where the rules do not allow it; the refusal is on record as a message.

        The answer comes before the carrier's: watch the message's state.
        """
        data = SendSerializer(data=request.data, context=self.get_serializer_context())
        data.is_valid(raise_exception=True)
        wanted = data.validated_data
        contact, key = wanted.get("contact"), wanted.get("key") or ""
        by = cast(User, request.user)
        message = send_text(
            to=contact.phone if contact is not None else wanted["to"],
            body=wanted["body"],
            contact=contact,
            number=wanted.get("number"),
            by=by,
            key=f"api:{by.pk}:{key}" if key else "",
        )
        if message.state == MessageState.REFUSED:
            detail = {"message": message.pk}
            return Response(error_body(message.reason, str(REASONS[message.reason]), detail), status.HTTP_409_CONFLICT)
        return Response(self.get_serializer(message).data, status.HTTP_202_ACCEPTED)
