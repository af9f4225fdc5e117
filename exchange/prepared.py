"""Queries of the ORM whose SQL is made once a process: asked again they cost a tenth of one that is composed anew.

For the few questions that every order asks. They are written as any other, with `Given` in the place of each value:

    order_of_nonce = Prepared(lambda: Order.objects.filter(user=Given("user"), nonce=Given("nonce")))
    order_of_nonce.first(user=7, nonce="mine")

What makes rows into models is Django's own: the parts that its `ModelIterable` uses, see `test_prepared.py`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

from django.db import connection
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


class Prepared(Generic[Row]):
    """Gives what the queryset would: models with what was selected along, or the tuples of `values_list`."""

    def __init__(self, build: Callable[[], QuerySet[Any, Row]]) -> None:
        self._build = build

    def all(self, **values: Any) -> list[Row]:
        sql, parameters, read = self._parts
        with connection.cursor() as cursor:
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

    def read(rows: Iterable[Any]) -> Iterable[Any]:
        for row in rows:
            found = model.from_db(connection.alias, names, row[begin:end])
            for populator in along:
                populator.populate(row, found)
            yield found

    return read
