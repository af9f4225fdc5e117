"""The private socket: what happens to one customer's orders and money, while the session lasts."""

import asyncio
from contextlib import suppress
from importlib import import_module
from typing import Any

import structlog
from allauth.headless.internal.sessionkit import authenticate_by_x_session_token
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.conf import settings
from redis.exceptions import RedisError

from accounts import services
from accounts.models import User
from exchange import push
from exchange.inbox import TOO_MUCH, Inbox, TooMuch, refusal
from exchange.origin import header, is_foreign, is_silent

log = structlog.get_logger()
CHECK_SECONDS = 10
SIGN_IN, FOREIGN, AWAY = 4401, 4403, 4503


class MySocket(AsyncJsonWebsocketConsumer):
    """`/ws/me/`: joins the group of its own session's user, never one the client names."""

    user_id: int | None = None
    was_frozen = False
    checking: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        if is_foreign(self.scope):
            await self.close(FOREIGN)
            return
        self.inbox = Inbox()
        user = await self.who()
        await self.accept()
        if user is None:
            await self.close(SIGN_IN)
            return
        self.user_id, self.was_frozen = user.pk, user.is_frozen
        try:
            await database_sync_to_async(push.listen)(self.user_id)
            await self.channel_layer.group_add(push.group_of(self.user_id), self.channel_name)
        except (OSError, RedisError):  # nothing could reach this socket: the page reads, and comes again
            await self.close(AWAY)
            return
        await self.send_json(
            {"type": "hello", "seq": await database_sync_to_async(push.last_sequence)(self.user_id)}
        )
        self.checking = asyncio.create_task(self.check())

    async def disconnect(self, code: int) -> None:
        if self.checking is not None:
            self.checking.cancel()
        if self.user_id is not None:
            with suppress(OSError, RedisError):  # away: the group forgets it by itself
                await self.channel_layer.group_discard(push.group_of(self.user_id), self.channel_name)

    async def who(self) -> User | None:
        """The user behind a token's header, or behind the session cookie of our own page."""
        found = await database_sync_to_async(self._by_header)()
        if found is not None or is_silent(self.scope):
            return found
        return await database_sync_to_async(self._by_session)()

    def _by_header(self) -> User | None:
        scheme, _space, secret = header(self.scope, b"authorization").partition(" ")
        if scheme.lower() == "bearer" and (token := services.use_token(secret.strip())):
            return token.user
        if session_token := header(self.scope, b"x-session-token"):
            found = authenticate_by_x_session_token(session_token)
            return found[0] if found else None
        return None

    def _by_session(self) -> User | None:
        """Read anew from the session's store, so that a session that ended is noticed."""
        session = import_module(settings.SESSION_ENGINE).SessionStore(self.scope["session"].session_key)
        user_id = session.get("_auth_user_id")
        user = User.objects.filter(pk=user_id, is_active=True).first() if user_id else None
        if user is None or session.get("_auth_user_hash") != user.get_session_auth_hash():
            return None
        return user

    async def check(self) -> None:
        """A session, token or account that ended or was frozen takes its socket along within seconds.

        Who may stay hears so: a line that is open at the page's end alone shows by its silence.
        """
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            try:
                user = await self.who()
            except Exception as error:  # nobody can say whether it may stay: the page comes again
                log.warning("socket.not_checked", error=type(error).__name__)
                user = None
            if user is None or (user.pk, user.is_frozen) != (self.user_id, self.was_frozen):
                await self.close(SIGN_IN)
                return
            with suppress(OSError, RedisError):  # away: it is said again
                await database_sync_to_async(push.listen)(user.pk)
            await self.send_json({"type": "alive"})

    async def receive(
        self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any
    ) -> None:
        """Pages only listen here."""
        try:
            self.inbox.check(text_data)
        except TooMuch as error:
            await self.send_json(refusal(error))
            await self.close(TOO_MUCH)

    async def private_events(self, message: dict[str, Any]) -> None:
        for event in message["events"]:
            await self.send_json(event)
