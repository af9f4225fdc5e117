"""Django's PostgreSQL backend, which asks a connection for a sign of life only when the server has said something.

Django asks each connection at its first use in a request, by a statement of its own (CONN_HEALTH_CHECKS). A server that
ends a session writes to it or closes it; a line on which nothing waits to be read is as good as it was.
"""

import select

import psycopg
from django.db.backends.postgresql.base import DatabaseWrapper as Base
from psycopg.pq import TransactionStatus


class DatabaseWrapper(Base):
    def is_usable(self) -> bool:
        return self._is_silent() or super().is_usable()

    def _is_silent(self) -> bool:
        """True when the connection stands, takes statements, and nothing was heard on it since its last one."""
        if self.connection is None or self.connection.closed:
            return False
        if self.connection.info.transaction_status not in (TransactionStatus.IDLE, TransactionStatus.INTRANS):
            return False
        line = select.poll()
        try:
            line.register(self.connection.fileno(), select.POLLIN)
        except psycopg.Error:
            return False
        return not line.poll(0)
