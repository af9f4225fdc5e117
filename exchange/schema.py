"""The API's own description: `/api/v1/schema/` for programs, `/api/v1/docs/` for people; and what it does not have."""

from typing import Any

from django.urls import path
from django.views.decorators.cache import cache_control
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "accounts.authentication.ApiTokenAuthentication"
    name = "apiToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "An API token of the security page: cw_…"}


class AppSessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "accounts.authentication.AppSessionAuthentication"
    name = "appSession"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "header", "name": "X-Session-Token"}


class Docs(SpectacularSwaggerSplitView):
    """The start-up script comes from an address of its own, so that the page needs no inline script."""

    template_name = "api/docs.html"


class NoSuchAddress(APIView):
    """Whatever else is asked for below the API's root, answered in the API's own way."""

    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NotFound()


OPEN: dict[str, Any] = {"authentication_classes": [], "permission_classes": [AllowAny]}
_kept = cache_control(public=True, max_age=60)
urlpatterns = [
    path("schema/", _kept(SpectacularAPIView.as_view(**OPEN)), name="schema"),
    path("docs/", Docs.as_view(url_name="schema", **OPEN), name="api_docs"),
]
