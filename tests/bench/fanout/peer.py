"""The textbook's way: each socket is a member of a group, the frame goes through Redis to every one of them.

As in Channels' tutorial and in channels-redis' documentation, on the same server program; see
https://channels.readthedocs.io/en/stable/tutorial/part_3.html.
"""

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "exchange.settings")

import django

django.setup()

from channels.generic.websocket import AsyncJsonWebsocketConsumer  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.urls import re_path  # noqa: E402

GROUP = "book"


class BookConsumer(AsyncJsonWebsocketConsumer):
    async def connect(self) -> None:
        await self.channel_layer.group_add(GROUP, self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(GROUP, self.channel_name)

    async def book_frame(self, event: dict[str, Any]) -> None:
        await self.send_json(event["frame"])


application = ProtocolTypeRouter(
    {"websocket": URLRouter([re_path(r"^ws/market/[^/]+/$", BookConsumer.as_asgi())])}
)
