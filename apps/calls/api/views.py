"""Calls with their transcripts, and what they are made with."""

from typing import Any, cast

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.models import User
from apps.accounts.roles import Permission
from apps.calls import selectors
from apps.calls.api.serializers import (
    CallSerializer,
    CorrectionSerializer,
    CostSerializer,
    DispositionSerializer,
    EndSerializer,
    EventSerializer,
    NumberSerializer,
    ReviewSerializer,
    TurnSerializer,
)
from apps.calls.filters import CallFilter
from apps.calls.models import Call, CallReview, Disposition, EndReason, Number
from apps.calls.models.call import CallQuerySet
from apps.calls.services import dispositions, ending


class NumberViewSet(viewsets.ModelViewSet[Number]):
    """Our own numbers. One that was used stays: set ``is_active`` to false instead of deleting it."""

    queryset = Number.objects.order_by("e164")
    serializer_class = NumberSerializer
    lookup_value_converter = "int"
    permission = Permission.SETUP_EDIT
    permissions = {"list": Permission.CAMPAIGNS_VIEW, "retrieve": Permission.CAMPAIGNS_VIEW}
    filterset_fields = ["carrier", "is_active"]
    search_fields = ["e164", "label"]
    ordering_fields = ["e164", "label"]


class DispositionViewSet(viewsets.ModelViewSet[Disposition]):
    """What a conversation may mean to the business."""

    queryset = Disposition.objects.order_by("position", "code")
    serializer_class = DispositionSerializer
    lookup_value_converter = "int"
    permission = Permission.SETUP_EDIT
    permissions = {"list": Permission.CALLS_VIEW, "retrieve": Permission.CALLS_VIEW}
    filterset_fields = ["is_success", "is_active"]
    search_fields = ["code", "name"]
    ordering_fields = ["position", "code"]


class CallViewSet(viewsets.ReadOnlyModelViewSet[Call]):
    """Conversations, newest first. What was said, done and spent stands below each."""

    queryset = Call.objects.none()
    serializer_class = CallSerializer
    lookup_value_converter = "int"
    permission = Permission.CALLS_VIEW
    permissions = {"disposition": Permission.CALLS_CORRECT, "end": Permission.CALLS_END}
    filterset_class = CallFilter
    search_fields = ["contact__first_name", "contact__last_name"]
    ordering_fields = ["created_at", "answered_at", "ended_at"]

    def get_queryset(self) -> CallQuerySet:
        visible = selectors.calls_visible_to(cast(User, self.request.user))
        return selectors.with_costs(selectors.with_people(visible)).order_by("-created_at", "-pk")

    @extend_schema(operation_id="calls_transcript", responses=TurnSerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None)
    def transcript(self, request: Request, **kwargs: Any) -> Response:
        """Everything that was said, by both sides, in order."""
        turns = self.get_object().turns.order_by("started_ms", "pk")
        return Response(TurnSerializer(turns, many=True).data)

    @extend_schema(operation_id="calls_events", responses=EventSerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None)
    def events(self, request: Request, **kwargs: Any) -> Response:
        """The story of the call, one line per thing that happened."""
        events = self.get_object().events.order_by("at", "pk")
        return Response(EventSerializer(events, many=True, context=self.get_serializer_context()).data)

    @extend_schema(operation_id="calls_costs", responses=CostSerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None)
    def costs(self, request: Request, **kwargs: Any) -> Response:
        """What it cost so far, part by part, in USD."""
        items = self.get_object().cost_items.order_by("service", "model", "part")
        return Response(CostSerializer(items, many=True).data)

    @extend_schema(operation_id="calls_review", responses=ReviewSerializer)
    @action(detail=True)
    def review(self, request: Request, **kwargs: Any) -> Response:
        """Summary, extracted fields, the customer's sentiment and the checklist; 404 while nobody has asked for it."""
        review = get_object_or_404(CallReview, call=self.get_object())
        return Response(ReviewSerializer(review).data)

    @extend_schema(request=CorrectionSerializer, responses=CallSerializer)
    @action(detail=True, methods=["post"])
    def disposition(self, request: Request, **kwargs: Any) -> Response:
        """Correct the disposition; the correction is shown in the call's story."""
        call = self.get_object()
        data = CorrectionSerializer(data=request.data)
        data.is_valid(raise_exception=True)
        chosen = data.validated_data
        dispositions.set_disposition(
            call.pk, code=chosen["disposition"], note=chosen["note"], by=cast(User, request.user)
        )
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(request=None, responses={202: EndSerializer})
    @action(detail=True, methods=["post"])
    def end(self, request: Request, **kwargs: Any) -> Response:
        """Have a running call hung up; it is over when the carrier says so."""
        call = self.get_object()
        is_ending = ending.request_end(call.pk, reason=EndReason.STAFF_ENDED, by=cast(User, request.user))
        return Response({"is_ending": is_ending}, status=202)
