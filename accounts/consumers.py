"""The private socket: what happens to one customer's orders and money, while the session lasts."""

import asyncio
from typing import Any

from allauth.headless.internal.sessionkit import authenticate_by_x_session_token
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer

from accounts import services
from accounts.models import User
from exchange import push
from exchange.origin import header, is_foreign, is_silent

CHECK_SECONDS = 10
SIGN_IN, FOREIGN = 4401, 4403


class MySocket(AsyncJsonWebsocketConsumer):
    """`/ws/me/`: joins the group of its own session's user, never one the client names."""

    user_id: int | None = None
    checking: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        if is_foreign(self.scope):
            await self.close(FOREIGN)
            return
        self.user_id = await self.who()
        await self.accept()
        if self.user_id is None:
            await self.close(SIGN_IN)
            return
        await self.channel_layer.group_add(push.group_of(self.user_id), self.channel_name)
        await self.send_json(
            {"type": "hello", "seq": await database_sync_to_async(push.last_sequence)(self.user_id)}
        )
        self.checking = asyncio.create_task(self.check())

    async def disconnect(self, code: int) -> None:
        if self.checking is not None:
            self.checking.cancel()
        if self.user_id is not None:
            await self.channel_layer.group_discard(push.group_of(self.user_id), self.channel_name)

    async def who(self) -> int | None:
        """The user behind a token's header, or behind the session cookie of our own page."""
        found = await database_sync_to_async(self._by_header)()
        if found is not None or is_silent(self.scope):
            return found
        return await database_sync_to_async(self._by_session)()

    def _by_header(self) -> int | None:
        scheme, _space, secret = header(self.scope, b"authorization").partition(" ")
        if scheme.lower() == "bearer" and (token := services.use_token(secret.strip())):
            return token.user_id
        if session_token := header(self.scope, b"x-session-token"):
            found = authenticate_by_x_session_token(session_token)
            return found[0].pk if found else None
        return None

    def _by_session(self) -> int | None:
        """Read anew from the session's store, so that a session that ended is noticed."""
        session = type(self.scope["session"])(self.scope["session"].session_key)
        user_id = session.get("_auth_user_id")
        user = User.objects.filter(pk=user_id, is_active=True).first() if user_id else None
        if user is None or session.get("_auth_user_hash") != user.get_session_auth_hash():
            return None
        return user.pk

    async def check(self) -> None:
        """A session, token or account that ended takes its socket along within seconds."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            if await self.who() != self.user_id:
                await self.close(SIGN_IN)
                return

    async def receive_json(self, content: Any, **options: Any) -> None:
        """Pages only listen here."""

    async def private_event(self, message: dict[str, Any]) -> None:
        await self.send_json(message["event"])
