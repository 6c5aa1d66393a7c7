"""Listening to recordings, and pausing one that is being made."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.permissions import requires, signed_in
from apps.accounts.roles import Permission
from apps.calls import selectors
from apps.calls.models import Call
from apps.calls.recording_response import recording_response
from apps.calls.services import recording_control, recordings


@require_safe
@requires(Permission.RECORDINGS_LISTEN)
def recording_sound(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The sound itself, in pieces as players ask for them; ``?download=1`` as a file. Every listening is noted."""
    user = signed_in(request)
    recording = selectors.recordings_visible_to(user).ready().filter(pk=pk).first()
    if recording is None:
        raise Http404
    is_download = request.GET.get("download") == "1"
    response = recording_response(request, recording, is_download=is_download)
    if request.method == "GET" and response.status_code in {200, 206}:
        recordings.note_listening(recording, by=user, is_download=is_download, now=timezone.now())
    return response


@require_POST
@requires(Permission.RECORDINGS_PAUSE)
def control_recording(request: HttpRequest, pk: int, act: str) -> HttpResponseBase:
    """act: pause or resume. The call's session does it; a script gets JSON, a form the call's page."""
    user = signed_in(request)
    call: Call | None = selectors.calls_visible_to(user).filter(pk=pk).first()
    if call is None or act not in recording_control.ACTS:
        raise Http404
    words = {
        "pause": _("The recording pauses, for three minutes at most."),
        "resume": _("The call is recorded again."),
    }
    is_live = recording_control.ask(call.pk, act, by=user)
    if request.headers.get("X-Requested-With") == "fetch":
        return JsonResponse({"is_live": is_live, "message": words[act]}, status=202 if is_live else 409)
    if is_live:
        messages.success(request, words[act])
    else:
        messages.info(request, _("The call was over already."))
    return _back(request, call)


def _back(request: HttpRequest, call: Call) -> HttpResponse:
    if request.POST.get("from") == "live":
        response = redirect("cockpit:live")
        response["Location"] += f"?call={call.pk}"
        return response
    return redirect("calls:detail", pk=call.pk)
