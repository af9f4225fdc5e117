"""Django's PostgreSQL backend, which asks a connection for a sign of life only when the server has said something.

Django asks each connection at its first use in a request, by a statement of its own (CONN_HEALTH_CHECKS). A server that
ends a session writes to it or closes it; a line on which nothing waits to be read is as good as it was.
"""

import select

import psycopg
from django.db.backends.postgresql.base import DatabaseWrapper as Base


class DatabaseWrapper(Base):
    def is_usable(self) -> bool:
        return self._is_silent() or super().is_usable()

    def _is_silent(self) -> bool:
        """True when the connection stands and nothing was heard on it since its last statement."""
        if self.connection is None or self.connection.closed:
            return False
        line = select.poll()
        try:
            line.register(self.connection.fileno(), select.POLLIN)
        except psycopg.Error:
            return False
        return not line.poll(0)
