"""Shape of the filters on the markets page and of the theme's choice."""

from django import forms

from markets.templatetags.page import THEMES


class ThemeForm(forms.Form):
    theme = forms.ChoiceField(choices=[(name, name) for name in THEMES])
    next = forms.CharField(required=False, max_length=2000)
