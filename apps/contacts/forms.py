"""Forms of the contact pages."""

from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from apps.contacts.models import Channel, ContactList
from apps.core.phone import BadPhoneNumber, read_phone


class ImportForm(forms.Form):
    """A file, and the list it goes to: one that exists, or a new one by name."""

    file = forms.FileField(
        label=_("CSV file"),
        help_text=_("One person per row. The first row names the columns; only “phone” is required."),
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,text/csv,.txt,text/plain"}),
    )
    contact_list = forms.ModelChoiceField(
        ContactList.objects.all(), label=_("Add to list"), required=False, empty_label=_("a new list")
    )
    new_list = forms.CharField(label=_("Name of the new list"), max_length=120, required=False)

    def clean_file(self) -> UploadedFile:
        file: UploadedFile = self.cleaned_data["file"]
        if file.size is not None and file.size > settings.IMPORT_MAX_BYTES:
            raise ValidationError(
                _("The file is larger than %(megabytes)s MB. Split it into several."),
                params={"megabytes": settings.IMPORT_MAX_BYTES // 1_000_000},
            )
        return file

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        chosen, name = data.get("contact_list"), (data.get("new_list") or "").strip()
        if chosen is None and not name:
            self.add_error("new_list", _("Choose a list, or name a new one."))
        elif chosen is None and ContactList.objects.filter(name=name).exists():
            self.add_error("new_list", _("There is a list of this name already. Choose it above."))
        return data

    def target_list(self) -> ContactList:
        chosen: ContactList | None = self.cleaned_data["contact_list"]
        return chosen or ContactList.objects.create(name=self.cleaned_data["new_list"].strip())


class OptOutForm(forms.Form):
    """Put a number on the do-not-call list."""

    phone = forms.CharField(
        label=_("Number"), max_length=40, help_text=_("With country code, for example +1 202 555 0123.")
    )
    channels = forms.MultipleChoiceField(
        label=_("Channels"),
        choices=Channel.choices,
        initial=[channel.value for channel in Channel],
        widget=forms.CheckboxSelectMultiple,
    )
    note = forms.CharField(label=_("Note"), max_length=200, required=False)

    def clean_phone(self) -> str:
        try:
            return read_phone(self.cleaned_data["phone"], default_country=settings.DEFAULT_COUNTRY).e164
        except BadPhoneNumber as error:
            raise ValidationError(_("This is not a number that can be dialled.")) from error
