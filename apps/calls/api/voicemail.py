"""A virtual agent's recorded voicemail messages by API, one per language."""

from typing import Any, cast

from django.http import Http404, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from apps.accounts.models import Language, User
from apps.calls.bridge.phrase_book import BadPhrase, as_wav
from apps.calls.models import VirtualAgent, VoicemailRecording
from apps.calls.recording_response import sound_response
from apps.calls.services import voicemail_recordings

_WHICH = OpenApiParameter("language", str, OpenApiParameter.PATH, enum=Language.values)


class VoicemailRecordingSerializer(serializers.ModelSerializer[VoicemailRecording]):
    url = serializers.SerializerMethodField(help_text="Where the sound is.")

    class Meta:
        model = VoicemailRecording
        fields = ["language", "duration_ms", "file_name", "sha256", "uploaded_at", "url"]
        read_only_fields = fields

    def get_url(self, recording: VoicemailRecording) -> str:
        which = [recording.virtual_agent_id, recording.language]
        address = reverse("virtual-agent-voicemail-recording", args=which, request=self.context.get("request"))
        return str(address)


class UploadSerializer(serializers.Serializer[Any]):
    file = serializers.FileField(
        help_text=f"A WAV file (PCM, float or G.711) of at most {voicemail_recordings.LONGEST_S} seconds."
    )


class HasVoicemailRecordings:
    """What a view set of virtual agents gains by it."""

    @extend_schema(
        operation_id="virtual_agents_voicemail_recording",
        parameters=[_WHICH],
        responses={(200, "audio/wav"): OpenApiTypes.BINARY, 206: OpenApiResponse(), 416: OpenApiResponse()},
        filters=False,
    )
    @action(detail=True, url_path="voicemail-recordings/<str:language>", parser_classes=[MultiPartParser])
    def voicemail_recording(self, request: Request, language: str, **kwargs: Any) -> HttpResponse:
        """The message that is played after the beep in that language, as the line hears it."""
        recording = self._agent().voicemail_recordings.filter(language=language).first()
        if recording is None:
            raise Http404
        try:
            sound = as_wav(voicemail_recordings.read(recording.name, recording.sha256))
        except (FileNotFoundError, BadPhrase) as error:
            raise Http404 from error
        file_name = f"voicemail-{recording.virtual_agent_id}-{language}.wav"
        return sound_response(request._request, sound, etag=recording.sha256, file_name=file_name)

    @extend_schema(
        operation_id="virtual_agents_voicemail_recording_upload",
        parameters=[_WHICH],
        request={"multipart/form-data": UploadSerializer},
        responses={200: VoicemailRecordingSerializer, 201: VoicemailRecordingSerializer},
    )
    @voicemail_recording.mapping.put
    def upload_voicemail_recording(self, request: Request, language: str, **kwargs: Any) -> Response:
        """Upload the message, in the place of the one there is. It is played to answering machines instead of text."""
        agent = self._agent()
        if language not in Language.values:
            raise Http404
        given = UploadSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        prepared = voicemail_recordings.prepare(given.validated_data["file"])
        kept, is_new = voicemail_recordings.keep(agent.pk, language, prepared, by=cast(User, request.user))
        data = VoicemailRecordingSerializer(kept, context={"request": request}).data
        return Response(data, status=status.HTTP_201_CREATED if is_new else status.HTTP_200_OK)

    @extend_schema(operation_id="virtual_agents_voicemail_recording_delete", parameters=[_WHICH], responses={204: None})
    @voicemail_recording.mapping.delete
    def delete_voicemail_recording(self, request: Request, language: str, **kwargs: Any) -> Response:
        """Delete the message: from now on it is spoken."""
        if not voicemail_recordings.remove(self._agent().pk, language):
            raise Http404
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _agent(self) -> VirtualAgent:
        return cast(VirtualAgent, self.get_object())  # type: ignore[attr-defined]  # the view set's own
