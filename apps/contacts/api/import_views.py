"""Files of people: uploaded, followed, cancelled, and the fate of each row."""

from typing import Any, cast

from django.http import FileResponse, Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.models import User
from apps.accounts.roles import Permission
from apps.contacts import imports
from apps.contacts.forms import ImportForm
from apps.contacts.models import ContactImport


class ImportSerializer(serializers.ModelSerializer[ContactImport]):
    error_message = serializers.SerializerMethodField()
    has_report = serializers.SerializerMethodField()

    class Meta:
        model = ContactImport
        fields = [
            "id",
            "contact_list",
            "file_name",
            "state",
            "error_code",
            "error_message",
            "n_rows",
            "n_added",
            "n_rejected",
            "reasons",
            "has_report",
            "created_at",
            "finished_at",
        ]
        read_only_fields = fields

    def get_error_message(self, job: ContactImport) -> str:
        return str(imports.error_words(job))

    def get_has_report(self, job: ContactImport) -> bool:
        return bool(job.report)


class NewImportSerializer(serializers.Serializer[dict[str, Any]]):
    """What the upload looks like; checked by the same form as on the page."""

    file = serializers.FileField(help_text="CSV with a header row; only a phone column is required.")
    contact_list = serializers.IntegerField(required=False, help_text="An existing list.")
    new_list = serializers.CharField(required=False, help_text="Or the name of a new one.")


class ImportViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[ContactImport]):
    """Files of people. An import runs in the background: ask again until ``state`` is done, failed or cancelled."""

    queryset = ContactImport.objects.order_by("-created_at")
    serializer_class = ImportSerializer
    lookup_value_converter = "int"
    permission = Permission.CONTACTS_IMPORT
    permissions = {"list": Permission.CONTACTS_VIEW, "retrieve": Permission.CONTACTS_VIEW}
    filterset_fields = ["state", "contact_list"]
    search_fields = ["file_name"]
    ordering_fields = ["created_at"]
    parser_classes = [MultiPartParser]  # the upload is the only thing with a body

    @extend_schema(request=NewImportSerializer, responses={202: ImportSerializer})
    def create(self, request: Request, **kwargs: Any) -> Response:
        """Upload a file, for an existing list or a new one."""
        form = ImportForm(request.data, request.FILES)
        if not form.is_valid():
            raise ValidationError({name: [str(error) for error in errors] for name, errors in form.errors.items()})
        job = imports.start_import(
            file=form.cleaned_data["file"], contact_list=form.target_list(), by=cast(User, request.user)
        )
        return Response(self.get_serializer(job).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.BINARY})
    @action(detail=True)
    def report(self, request: Request, **kwargs: Any) -> FileResponse:
        """The fate of each row, as CSV."""
        job = self.get_object()
        if not job.report:
            raise Http404
        return FileResponse(
            job.report.open("rb"),
            as_attachment=True,
            filename=f"import-{job.pk}-report.csv",
            content_type="text/csv; charset=utf-8",
        )

    @extend_schema(request=None, responses=ImportSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, **kwargs: Any) -> Response:
        """Stop an import; what is in stays. One that is over stays as it is."""
        job = self.get_object()
        imports.cancel_import(job.pk)
        job.refresh_from_db()
        return Response(self.get_serializer(job).data)
