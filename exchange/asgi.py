"""The web process: Django's WSGI handler on a few lasting threads, Channels for sockets.

Under Django's ASGI handler each request of a sync view gets a new thread, so that lasting database connections
leak; on lasting threads they are reused (README, Decisions).
"""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "exchange.settings")

from functools import partialmethod

from django.core.wsgi import get_wsgi_application

wsgi = get_wsgi_application()

from channels.routing import ProtocolTypeRouter  # noqa: E402
from daphne.http_protocol import WebRequest  # noqa: E402
from django.conf import settings  # noqa: E402

from exchange.bridge import Bridge  # noqa: E402
from exchange.door import Door  # noqa: E402
from exchange.gate import services as gate  # noqa: E402
from exchange.memory import collect_seldom  # noqa: E402
from exchange.routing import sockets  # noqa: E402

# Django reads forms itself: Twisted would read each before it, files too, by the parser of mails.
WebRequest.__init__ = partialmethod(WebRequest.__init__, parsePOSTFormSubmission=False)

gate.refuse_unfit_database()
gate.renew_clock()

application = ProtocolTypeRouter(
    {
        "http": Door(Bridge(wsgi, settings.WEB_THREADS), settings.POSTS_AT_ONCE),
        "websocket": sockets,
    }
)

collect_seldom()
