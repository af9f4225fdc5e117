from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class DeskConfig(AppConfig):
    """Writes nothing of its own: the staff's admin site, home page, health and status."""

    name = "exchange.desk"
    label = "desk"


class DeskAdminConfig(AdminConfig):
    """Django's admin with the desk's site as the default one."""

    default_site = "exchange.desk.site.DeskSite"
