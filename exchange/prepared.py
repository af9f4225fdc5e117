"""SQL of the ORM that is made once a process, and planned once a connection: it costs a tenth of what is made anew.

For the few statements of every order. Questions are written as any other, with `Given` in the place of each value:

    order_of_nonce = Prepared(lambda: Order.objects.filter(user=Given("user"), nonce=Given("nonce")))
    order_of_nonce.first(user=7, nonce="mine")

and rows are written by `insert` and `update`. What makes rows into models is Django's own: the parts that its
`ModelIterable` uses, see `test_prepared.py`. No signals are sent.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import Any, Generic, TypeVar

import psycopg
from django.db import connection, connections
from django.db.backends.utils import CursorWrapper
from django.db.models import Expression, Field, Model, QuerySet
from django.db.models.query import ModelIterable, get_related_populators

Row = TypeVar("Row")


@dataclass(frozen=True)
class _Place:
    """Where a value belongs among the parameters of the SQL."""

    name: str


class Given(Expression):
    """A value that is said when the query is asked; None finds nothing, as in SQL."""

    def __init__(self, name: str) -> None:
        super().__init__(output_field=Field())
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        return "%s", [_Place(self.name)]


class _Cursor(psycopg.RawCursor[Any]):
    """The server plans each statement once a connection."""

    def execute(self, query: Any, params: Any = None, **_more: Any) -> "_Cursor":
        return super().execute(_numbered(query), params, prepare=True)


@lru_cache(1000)
def _numbered(sql: str) -> bytes:
    """With PostgreSQL's own places: psycopg looks for those of Python anew each time a statement is long."""
    first, *rest = sql.split("%s")
    return (
        (first + "".join(f"${number}{part}" for number, part in enumerate(rest, 1)))
        .replace("%%", "%")
        .encode()
    )


def _cursor() -> CursorWrapper:
    """As Django's own, with its errors, wrappers and log of statements."""
    if connection.queries_logged:  # what the server was sent is not known of others
        return connection.cursor()
    connection.ensure_connection()
    return connection.make_cursor(_Cursor(connection.connection))  # type: ignore[arg-type]


def execute(sql: str, *values: Any) -> None:
    """A statement that is written by hand."""
    with _cursor() as cursor:
        cursor.execute(sql, values)


def rows_of(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """What a statement that is written by hand gives."""
    with _cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())


class Prepared(Generic[Row]):
    """Gives what the queryset would: models with what was selected along or annotated, or tuples of `values_list`."""

    def __init__(self, build: Callable[[], QuerySet[Any, Row]]) -> None:
        self._build = build

    def all(self, **values: Any) -> list[Row]:
        sql, parameters, read = self._parts
        with _cursor() as cursor:
            cursor.execute(sql, [values[p.name] if isinstance(p, _Place) else p for p in parameters])
            return list(read(cursor.fetchall()))

    def first(self, **values: Any) -> Row | None:
        return next(iter(self.all(**values)), None)

    def get(self, **values: Any) -> Row:
        """Raises the model's DoesNotExist; of several the first."""
        found = self.all(**values)
        if not found:
            raise self._build().model.DoesNotExist(f"nothing with {values}")
        return found[0]

    @cached_property
    def _parts(self) -> tuple[str, tuple[Any, ...], Callable[[list[Any]], Iterable[Row]]]:
        query = self._build()
        compiler = query.query.get_compiler(connection=connection)
        sql, parameters = compiler.as_sql()
        converters = compiler.get_converters([column for column, _sql, _alias in compiler.select])
        of_rows = _models(compiler) if query._iterable_class is ModelIterable else _tuples

        def read(rows: list[Any]) -> Iterable[Row]:
            return of_rows(compiler.apply_converters(rows, converters) if converters else rows)

        return sql, tuple(parameters), read


def _tuples(rows: Iterable[Any]) -> Iterable[Any]:
    return map(tuple, rows)


def _models(compiler: Any) -> Callable[[Iterable[Any]], Iterable[Any]]:
    info, select = compiler.klass_info, compiler.select
    begin, end = info["select_fields"][0], info["select_fields"][-1] + 1
    model: type[Model] = info["model"]
    names = [column.target.attname for column, _sql, _alias in select[begin:end]]
    along = get_related_populators(info, select, connection.alias)  # type: ignore[call-arg]
    annotated: dict[str, int] = compiler.annotation_col_map or {}

    def read(rows: Iterable[Any]) -> Iterable[Any]:
        for row in rows:
            found = model.from_db(connection.alias, names, row[begin:end])
            for populator in along:
                populator.populate(row, found)
            for name, place in annotated.items():
                setattr(found, name, row[place])
            yield found

    return read


# ------------------------------------------------------------------ writing
def insert(row: Model, also: str = "") -> Any:
    """The row is new and gets its number; gives the value of what is asked `also`, an expression of SQL."""
    sql, fields = _insertion(type(row))
    with _cursor() as cursor:
        cursor.execute(f"{sql}, {also}" if also else sql, _values(row, fields, is_new=True))
        row.pk, *told = cursor.fetchone()
    row._state.adding, row._state.db = False, connection.alias
    return told[0] if told else None


def update(row: Model, *names: str) -> None:
    """These fields of the row are written; raises the model's DoesNotExist when it is not there any more."""
    sql, fields = _change(type(row), names)
    with _cursor() as cursor:
        cursor.execute(sql, [*_values(row, fields, is_new=False), row.pk])
        if cursor.rowcount != 1:
            raise type(row).DoesNotExist(f"no row {row.pk} to update")  # type: ignore[attr-defined]


def is_written(row: Model, key: int) -> None:
    """The row is in the database under this key."""
    row.pk = key
    row._state.adding, row._state.db = False, connection.alias


def _values(row: Model, fields: Iterable[Any], *, is_new: bool) -> list[Any]:
    database = connections[connection.alias]  # asked itself: its proxy looks it up for each field
    return [field.get_db_prep_save(field.pre_save(row, is_new), database) for field in fields]


def written(row: Model, *, but: str = "") -> list[Any]:
    """What an insertion writes of the row, in the order of `insertion_of`."""
    return _values(row, [field for field in _fields(type(row)) if field.name != but], is_new=True)


@cache
def insertion_of(model: type[Model], source: str, **given: str) -> str:
    """A part of a statement that writes several rows: the row, where the part before gave one, with some of its fields
    given by that."""
    quoted = connection.ops.quote_name
    names = ", ".join(quoted(str(field.column)) for field in _fields(model))
    values = ", ".join(given.get(field.name, "%s") for field in _fields(model))
    return f"INSERT INTO {quoted(model._meta.db_table)} ({names}) SELECT {values} FROM {source}"


@cache
def _fields(model: type[Model]) -> list[Any]:
    return [field for field in model._meta.concrete_fields if not field.primary_key]


@cache
def _insertion(model: type[Model]) -> tuple[str, list[Any]]:
    fields = _fields(model)
    quoted, key = connection.ops.quote_name, model._meta.pk
    columns, places = (
        ", ".join(quoted(str(field.column)) for field in fields),
        ", ".join(["%s"] * len(fields)),
    )
    table = quoted(model._meta.db_table)
    return f"INSERT INTO {table} ({columns}) VALUES ({places}) RETURNING {quoted(str(key.column))}", fields


@cache
def _change(model: type[Model], names: tuple[str, ...]) -> tuple[str, list[Any]]:
    fields: list[Any] = [model._meta.get_field(name) for name in names]
    quoted, key = connection.ops.quote_name, model._meta.pk
    sets = ", ".join(f"{quoted(str(field.column))} = %s" for field in fields)
    return f"UPDATE {quoted(model._meta.db_table)} SET {sets} WHERE {quoted(str(key.column))} = %s", fields
