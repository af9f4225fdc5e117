"""What an API token may not do, though its owner may."""

from typing import TYPE_CHECKING

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from accounts.models import ApiToken

if TYPE_CHECKING:  # the framework reads these classes while its own views are being loaded
    from rest_framework.views import APIView


class CanTrade(BasePermission):
    """A token without the right to trade only reads."""

    code = "token_only_reads"

    def has_permission(self, request: Request, view: "APIView") -> bool:
        token = request.auth
        return request.method in SAFE_METHODS or not isinstance(token, ApiToken) or token.can_trade


class InPerson(BasePermission):
    """Changed only by who signed in, never by a token: it could make itself stronger, or outlive being revoked."""

    code = "token_not_enough"

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return request.method in SAFE_METHODS or not isinstance(request.auth, ApiToken)
