"""All socket addresses of the site."""

from channels.routing import URLRouter

sockets = URLRouter([])
