"""Recorded voicemail messages: checked and brought into the line's own form once, when they are uploaded.

Files bear the name of what is in them, so that equal ones are kept once and none ever changes. Whoever gives a message
up only gives up its row: calls that are about to play it still can, and the daily sweep takes the file.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.core.files.base import ContentFile, File
from django.db import transaction
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.calls.bridge import phrase_book
from apps.calls.media.audio import PCMU_RATE_HZ
from apps.calls.media.sound_files import BadSound, for_line
from apps.calls.models import VoicemailRecording
from apps.calls.services.recordings import files
from apps.core.errors import DomainError

log = structlog.get_logger(__name__)

FOLDER: Final = "voicemail-messages"
LONGEST_S: Final = 60
MAX_BYTES: Final = 24_000_000
"""A minute of stereo at 48 kHz in 32 bits."""
_KEPT_UNUSED: Final = timedelta(days=1)
_WHY: Final[dict[str, Promise]] = {
    "not_wav": _("This is no WAV file. Save the recording as WAV and upload that."),
    "coding": _("The sound in this WAV file is coded in a way that is not known here. Save it as PCM with 16 bits."),
    "damaged": _("The file is damaged: it cannot be played."),
    "empty": _("There is no sound in the file."),
    "silent": _("Nothing can be heard in the recording."),
}


class BadRecording(DomainError):
    """It cannot be played to anybody. detail: reason, a code of BadSound, or too_large."""

    code = "bad_recording"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A message as the line plays it: 8 kHz mono μ-law."""

    sound: bytes
    file_name: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.sound).hexdigest()

    @property
    def duration_ms(self) -> int:
        return len(self.sound) * 1000 // PCMU_RATE_HZ


def prepare(upload: "File[bytes]") -> Prepared:
    """Read what was uploaded. Raises BadRecording. Takes a second of computing at most, and touches nothing."""
    if upload.size > MAX_BYTES:
        limit = {"size": MAX_BYTES // 1_000_000}
        raise BadRecording(_("The file is larger than %(size)d MB.") % limit, detail={"reason": "too_large"})
    upload.seek(0)
    try:
        sound = for_line(upload.read(), longest_s=LONGEST_S)
    except BadSound as error:
        why = _WHY.get(error.code) or _("The recording is longer than %(seconds)d seconds.") % {"seconds": LONGEST_S}
        raise BadRecording(why, detail={"reason": error.code}) from error
    return Prepared(sound, (upload.name or "").replace("\\", "/").rsplit("/", 1)[-1][-120:])


@transaction.atomic
def keep(agent_id: int, language: str, prepared: Prepared, *, by: User | None) -> tuple[VoicemailRecording, bool]:
    """Make it the virtual agent's message in that language, in the place of another; and whether there was none."""
    name = f"{FOLDER}/{prepared.sha256}.wav"
    storage = files()
    storage.delete(name)  # the same sound, if it is there; written anew it is young, and the sweep leaves it
    name = storage.save(name, ContentFile(phrase_book.as_wav(prepared.sound)))
    recording, is_new = VoicemailRecording.objects.update_or_create(
        virtual_agent_id=agent_id,
        language=language,
        defaults={
            "name": name,
            "sha256": prepared.sha256,
            "duration_ms": prepared.duration_ms,
            "file_name": prepared.file_name,
            "uploaded_at": timezone.now(),
            "uploaded_by": by,
        },
    )
    log.info("voicemail_recording_kept", virtual_agent_id=agent_id, language=language, ms=prepared.duration_ms)
    return recording, is_new


def remove(agent_id: int, language: str) -> bool:
    """From now on the message is spoken. False if there was none."""
    n, _by_model = VoicemailRecording.objects.filter(virtual_agent_id=agent_id, language=language).delete()
    return n > 0


def read(name: str, sha256: str) -> bytes:
    """A message's sound. Raises FileNotFoundError, phrase_book.BadPhrase, and what the storage raises."""
    with files().open(name, "rb") as file:
        sound = phrase_book.samples_of(file.read(), name)
    if hashlib.sha256(sound).hexdigest() != sha256:
        raise phrase_book.BadPhrase(f"{name} is not what was uploaded")
    return sound


def sweep(*, now: datetime) -> int:
    """Delete files that have been nobody's for a day. Returns how many."""
    storage = files()
    try:
        _folders, names = storage.listdir(FOLDER)
    except FileNotFoundError:
        return 0
    used = set(VoicemailRecording.objects.values_list("name", flat=True))
    n = 0
    for name in (f"{FOLDER}/{name}" for name in names if name):
        if name not in used and storage.get_modified_time(name) < now - _KEPT_UNUSED:
            storage.delete(name)
            n += 1
    if n:
        log.info("voicemail_recordings_swept", n=n)
    return n
