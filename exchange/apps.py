from django.apps import AppConfig


class ExchangeConfig(AppConfig):
    """The frame: holds the commands that belong to no single app."""

    name = "exchange"
