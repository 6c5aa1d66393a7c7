"""Campaigns: what they are, how far they are, and the four things one does to them."""

from collections.abc import Callable
from typing import Any, cast

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.models import User
from apps.accounts.roles import Permission
from apps.campaigns import selectors, services
from apps.campaigns.api.serializers import (
    CampaignSerializer,
    CountersSerializer,
    HistorySerializer,
    PersonSerializer,
    ReasonSerializer,
)
from apps.campaigns.filters import CampaignFilter, PeopleFilter
from apps.campaigns.models import Campaign, CampaignContact
from apps.campaigns.states import CampaignState
from apps.core.errors import DomainError

_MOVES = ("start", "pause", "resume", "stop")


class CampaignWasStarted(DomainError):
    """Its calls and their history hang on it."""

    code = "campaign_was_started"
    status = 409


class CampaignViewSet(viewsets.ModelViewSet[Campaign]):
    queryset = Campaign.objects.none()
    serializer_class = CampaignSerializer
    lookup_value_converter = "int"
    permission = Permission.CAMPAIGNS_VIEW
    permissions = {
        **dict.fromkeys(("create", "update", "partial_update", "destroy"), Permission.CAMPAIGNS_EDIT),
        **dict.fromkeys(_MOVES, Permission.CAMPAIGNS_CONTROL),
    }
    filterset_class = CampaignFilter
    search_fields = ["name"]
    ordering_fields = ["name", "created_at", "started_at", "state"]

    def get_queryset(self) -> QuerySet[Campaign]:
        visible = selectors.campaigns_visible_to(cast(User, self.request.user))
        return visible.prefetch_related("numbers", "windows", "retry_rules").order_by("-created_at", "-pk")

    def perform_destroy(self, instance: Campaign) -> None:
        """Only a draft can be deleted."""
        if instance.state != CampaignState.DRAFT:
            raise CampaignWasStarted(_("A campaign that was started is kept, with its history."))
        instance.delete()

    @extend_schema(request=None, responses=CampaignSerializer)
    @action(detail=True, methods=["post"])
    def start(self, request: Request, **kwargs: Any) -> Response:
        """Begin to call people, or go on after a stop. A running campaign stays as it is."""
        return self._move(services.start)

    @extend_schema(request=None, responses=CampaignSerializer)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, **kwargs: Any) -> Response:
        """Dial nobody new; running calls go on."""
        return self._move(services.pause)

    @extend_schema(request=None, responses=CampaignSerializer)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, **kwargs: Any) -> Response:
        """Go on where the pause began."""
        return self._move(services.resume)

    @extend_schema(request=None, responses=CampaignSerializer)
    @action(detail=True, methods=["post"])
    def stop(self, request: Request, **kwargs: Any) -> Response:
        """Dial nobody new, also no agreed callback; running calls finish."""
        return self._move(services.stop)

    @extend_schema(operation_id="campaigns_counters", responses=CountersSerializer)
    @action(detail=True)
    def counters(self, request: Request, **kwargs: Any) -> Response:
        """How many people are where."""
        return Response(CountersSerializer(selectors.campaign_card(self.get_object())).data)

    @extend_schema(operation_id="campaigns_reasons", responses=ReasonSerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None)
    def reasons(self, request: Request, **kwargs: Any) -> Response:
        """Why people are not being dialled now: counts by reason."""
        return Response(ReasonSerializer(selectors.why_not_dialled(self.get_object()), many=True).data)

    @extend_schema(operation_id="campaigns_history", responses=HistorySerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None)
    def history(self, request: Request, **kwargs: Any) -> Response:
        """Who did what to it, newest first; the last 200."""
        events = self.get_object().history.select_related("by").order_by("-at", "-pk")[:200]
        return Response(HistorySerializer(events, many=True).data)

    def _move(self, step: Callable[..., Campaign]) -> Response:
        step(campaign_id=self.get_object().pk, by=cast(User, self.request.user))
        return Response(self.get_serializer(self.get_object()).data)


class PeopleViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[CampaignContact]):
    """Everybody of a campaign with their state and the one current reason why they are not being dialled."""

    queryset = CampaignContact.objects.none()
    serializer_class = PersonSerializer
    lookup_value_converter = "int"
    permission = Permission.CAMPAIGNS_VIEW
    filterset_class = PeopleFilter
    ordering_fields = ["id", "next_attempt_at", "n_attempts"]

    def get_queryset(self) -> QuerySet[CampaignContact]:
        visible = selectors.campaigns_visible_to(cast(User, self.request.user))
        return selectors.people_of(get_object_or_404(visible, pk=self.kwargs["campaign_id"])).order_by("pk")
