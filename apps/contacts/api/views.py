"""People, lists, imports, consents and the do-not-call list."""

from typing import Any, cast

from django.db import transaction
from django.db.models import Count, QuerySet
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from apps.accounts.models import User
from apps.accounts.roles import Permission
from apps.contacts import consent, services
from apps.contacts.api.serializers import (
    ConsentSerializer,
    ContactListSerializer,
    ContactSerializer,
    DncSerializer,
    OptOutSerializer,
    VerdictSerializer,
)
from apps.contacts.filters import ContactFilter, DncFilter
from apps.contacts.models import Channel, Consent, Contact, ContactList, DncEntry, DncSource


class ContactListViewSet(viewsets.ModelViewSet[ContactList]):
    """Lists of people. One that a campaign uses cannot be deleted."""

    queryset = ContactList.objects.annotate(n_contacts=Count("contacts")).order_by("name")
    serializer_class = ContactListSerializer
    lookup_value_converter = "int"
    permission = Permission.CONTACTS_EDIT
    permissions = {
        "list": Permission.CONTACTS_VIEW,
        "retrieve": Permission.CONTACTS_VIEW,
        "create": Permission.CONTACTS_IMPORT,
    }
    search_fields = ["name"]
    ordering_fields = ["name", "created_at", "n_contacts"]


class ContactViewSet(viewsets.ModelViewSet[Contact]):
    """People who may be called. Many at once come by an import."""

    queryset = Contact.objects.order_by("pk")
    serializer_class = ContactSerializer
    lookup_value_converter = "int"
    permission = Permission.CONTACTS_EDIT
    permissions = {
        "list": Permission.CONTACTS_VIEW,
        "retrieve": Permission.CONTACTS_VIEW,
        "verdict": Permission.CONTACTS_VIEW,
        "create": Permission.CONTACTS_IMPORT,
    }
    filterset_class = ContactFilter
    search_fields = ["first_name", "last_name"]
    ordering_fields = ["id", "last_name", "created_at"]

    @extend_schema(
        operation_id="contacts_verdict",
        parameters=[OpenApiParameter("channel", enum=Channel.values, default=Channel.VOICE)],
        responses=VerdictSerializer,
    )
    @action(detail=True)
    def verdict(self, request: Request, **kwargs: Any) -> Response:
        """May this person be contacted now by an AI, and if not, why and from when."""
        channel = request.query_params.get("channel", Channel.VOICE)
        if channel not in Channel.values:
            raise ValidationError({"channel": [f"One of {', '.join(Channel.values)}."]})
        found = consent.check(self.get_object(), channel=channel, at=timezone.now(), is_ai=True)
        return Response(VerdictSerializer(found).data)


class DncViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.DestroyModelMixin, viewsets.GenericViewSet[DncEntry]
):
    """Numbers that must not be contacted, by channel."""

    queryset = DncEntry.objects.order_by("-created_at", "-pk")
    serializer_class = DncSerializer
    lookup_value_converter = "int"
    permission = Permission.CONTACTS_VIEW
    permissions = {"create": Permission.DNC_EDIT, "destroy": Permission.DNC_REMOVE}
    filterset_class = DncFilter
    search_fields = ["note"]
    ordering_fields = ["created_at"]

    @extend_schema(request=OptOutSerializer, responses={201: DncSerializer(many=True)})
    def create(self, request: Request, **kwargs: Any) -> Response:
        """Put a number on the list and withdraw its consents. Said twice, the first entry stays."""
        data = OptOutSerializer(data=request.data, context=self.get_serializer_context())
        data.is_valid(raise_exception=True)
        entries = services.opt_out(
            phone=data.validated_data["phone"],
            channels=data.validated_data["channels"],
            source=DncSource.MANUAL,
            by=cast(User, request.user),
            note=data.validated_data["note"],
        )
        return Response(self.get_serializer(entries, many=True).data, status=status.HTTP_201_CREATED)


class ConsentFilter(filters.FilterSet):  # type: ignore[misc]  # django-filter carries no types
    is_live = filters.BooleanFilter(field_name="withdrawn_at", lookup_expr="isnull")

    class Meta:
        model = Consent
        fields = ["channel", "is_written"]


class ConsentViewSet(
    mixins.CreateModelMixin, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Consent]
):
    """Proofs of consent. They are withdrawn, never deleted."""

    queryset = Consent.objects.order_by("-given_at", "-pk")
    serializer_class = ConsentSerializer
    lookup_value_converter = "int"
    permission = Permission.CONTACTS_EDIT
    permissions = {"list": Permission.CONTACTS_VIEW, "retrieve": Permission.CONTACTS_VIEW}
    filterset_class = ConsentFilter
    search_fields = ["source"]
    ordering_fields = ["given_at"]

    @transaction.atomic
    def perform_create(self, serializer: BaseSerializer[Consent]) -> None:
        serializer.save()

    @extend_schema(request=None, responses=ConsentSerializer)
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, **kwargs: Any) -> Response:
        """From now on this consent does not count. Repeating it changes nothing."""
        found = self.get_object()
        living: QuerySet[Consent] = Consent.objects.filter(pk=found.pk, withdrawn_at__isnull=True)
        living.update(withdrawn_at=timezone.now())
        found.refresh_from_db()
        return Response(self.get_serializer(found).data)
