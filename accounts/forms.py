"""Shape of what people fill in about themselves."""

import re
from datetime import date

from babel import Locale, UnknownLocaleError
from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from accounts.documents import MOST_BYTES
from accounts.models import KycDocument
from accounts.rules import is_plausible_age

THEMES = (("system", _("As the system")), ("light", _("Light")), ("dark", _("Dark")))
TOKEN_LIVES = ((30, _("30 days")), (90, _("90 days")), (365, _("one year")))
_CONTROL = re.compile(r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f<>]")


def countries() -> list[tuple[str, str]]:
    """ISO 3166 codes with their names in the page's language, sorted by name."""
    try:
        names = Locale.parse(get_language() or "en", sep="-").territories
    except (UnknownLocaleError, ValueError):
        names = Locale("en").territories
    known = [
        (code, name)
        for code, name in names.items()
        if re.fullmatch("[A-Z]{2}", code) and code not in NO_COUNTRIES
    ]
    return sorted(known, key=lambda pair: pair[1])


# Codes of the table that are no country of residence.
NO_COUNTRIES = frozenset({"EU", "EZ", "UN", "XA", "XB", "ZZ", "QO", "AQ", "BV", "HM"})


def plain_text(value: str) -> str:
    """The text with its spaces put in order; refuses what no name or address holds."""
    if _CONTROL.search(value):
        raise forms.ValidationError(_("Use letters, digits and usual punctuation only."), code="characters")
    return re.sub(r"[ \u00a0\u3000]+", " ", value).strip()


def not_too_large(file: UploadedFile) -> UploadedFile:
    """The upload, before it is read; refuses one that would be refused afterwards."""
    if (file.size or 0) > MOST_BYTES:
        raise forms.ValidationError(_("This file is larger than 8 MB."), code="size")
    return file


class PersonalForm(forms.Form):
    legal_name = forms.CharField(
        label=_("Full legal name"),
        min_length=2,
        max_length=160,
        help_text=_("As in your passport or identity card."),
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    birth_date = forms.DateField(
        label=_("Date of birth"),
        widget=forms.DateInput(attrs={"type": "date", "autocomplete": "bday"}, format="%Y-%m-%d"),
    )
    country = forms.ChoiceField(
        label=_("Country of residence"), widget=forms.Select(attrs={"autocomplete": "country"})
    )
    address = forms.CharField(
        label=_("Residential address"),
        min_length=5,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3, "autocomplete": "street-address"}),
    )

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self.fields["country"].choices = [("", _("Choose")), *countries()]  # type: ignore[attr-defined]

    def clean_legal_name(self) -> str:
        return plain_text(self.cleaned_data["legal_name"])

    def clean_address(self) -> str:
        return plain_text(self.cleaned_data["address"].replace("\r\n", "\n"))

    def clean_birth_date(self) -> date:
        born: date = self.cleaned_data["birth_date"]
        if not is_plausible_age(timezone.localdate(), born):
            raise forms.ValidationError(_("You must be at least 18 years old."), code="age")
        return born


class DocumentForm(forms.Form):
    kind = forms.ChoiceField(label=_("What it proves"), choices=KycDocument.Kind.choices)
    file = forms.FileField(
        label=_("File"),
        help_text=_("JPEG, PNG or PDF, at most 8 MB."),
        widget=forms.FileInput(attrs={"accept": "image/jpeg,image/png,application/pdf"}),
    )

    def clean_file(self) -> UploadedFile:
        return not_too_large(self.cleaned_data["file"])


class TokenForm(forms.Form):
    name = forms.CharField(
        label=_("Name"), max_length=60, help_text=_("For yourself, to tell your tokens apart.")
    )
    can_trade = forms.BooleanField(label=_("May place and cancel orders"), required=False)
    days = forms.TypedChoiceField(label=_("Valid for"), choices=TOKEN_LIVES, coerce=int, initial=90)

    def clean_name(self) -> str:
        return plain_text(self.cleaned_data["name"])


class PreferencesForm(forms.Form):
    language = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES)
    theme = forms.ChoiceField(label=_("Theme"), choices=THEMES)
