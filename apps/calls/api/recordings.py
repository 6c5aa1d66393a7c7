"""Recordings: what there is of a call, and the sound."""

from typing import Any, cast

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from apps.accounts.models import User
from apps.accounts.roles import Permission
from apps.calls import selectors
from apps.calls.models import Recording
from apps.calls.models.recording import RecordingQuerySet
from apps.calls.recording_response import recording_response
from apps.calls.services.recordings import note_listening


class PauseSerializer(serializers.Serializer[Any]):
    from_ms = serializers.IntegerField()
    to_ms = serializers.IntegerField()
    reason = serializers.CharField()


class RecordingSerializer(serializers.ModelSerializer[Recording]):
    paused = serializers.SerializerMethodField()
    url = serializers.SerializerMethodField(help_text="Where the sound is; empty unless it is ready.")

    class Meta:
        model = Recording
        fields = [
            "id",
            "call",
            "source",
            "state",
            "content_type",
            "channels",
            "duration_ms",
            "size",
            "sha256",
            "paused",
            "started_at",
            "deleted_at",
            "erased_why",
            "url",
        ]
        read_only_fields = fields

    @extend_schema_field(PauseSerializer(many=True))
    def get_paused(self, recording: Recording) -> list[dict[str, Any]]:
        return [{"from_ms": a, "to_ms": b, "reason": why} for a, b, why in recording.paused]

    def get_url(self, recording: Recording) -> str:
        if not recording.is_ready:
            return ""
        return str(reverse("recording-sound", args=[recording.pk], request=self.context.get("request")))


class RecordingViewSet(viewsets.ReadOnlyModelViewSet[Recording]):
    """What calls sounded like, newest first. Left is the caller, right the AI or the agent."""

    queryset = Recording.objects.none()
    serializer_class = RecordingSerializer
    lookup_value_converter = "int"
    permission = Permission.RECORDINGS_LISTEN
    filterset_fields = ["call", "source", "state"]
    ordering_fields = ["started_at", "duration_ms"]

    def get_queryset(self) -> RecordingQuerySet:
        visible = selectors.recordings_visible_to(cast(User, self.request.user))
        return visible.order_by("-started_at", "-pk")

    @extend_schema(
        operation_id="recordings_sound",
        parameters=[OpenApiParameter("Range", str, OpenApiParameter.HEADER, description="One range of bytes.")],
        responses={
            (200, "audio/wav"): OpenApiTypes.BINARY,
            (206, "audio/wav"): OpenApiTypes.BINARY,
            416: OpenApiResponse(),
        },
        filters=False,
    )
    @action(detail=True)
    def sound(self, request: Request, **kwargs: Any) -> Any:
        """The sound itself, whole or in pieces. Who fetched it is noted in the call's story."""
        recording = self.get_object()
        if not recording.is_ready:
            return Response(status=404)
        response = recording_response(request._request, recording, is_download=True)
        if response.status_code in {200, 206}:
            note_listening(recording, by=cast(User, request.user), is_download=True, now=timezone.now())
        return response
