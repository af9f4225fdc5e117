"""Tables that leave the house as CSV, one line at a time."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import chain

from django.http import StreamingHttpResponse

from exchange.money import plain

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\0")


class _Line:
    """A file to which a writer writes one line, and which gives it back."""

    def write(self, text: str) -> str:
        return text


def cell(value: object) -> str:
    """The value as text that no spreadsheet takes for a formula (ASVS 1.2.10); a plain number is none."""
    text = "" if value is None else plain(value) if isinstance(value, Decimal) else str(value)
    if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text):
        return f"'{text}"
    return text


def csv_lines(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """The head and every row as lines of CSV."""
    writer = csv.writer(_Line())
    for row in chain([columns], rows):
        yield writer.writerow([cell(value) for value in row])


def csv_answer(name: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> StreamingHttpResponse:
    """A download of this name, streamed."""
    answer = StreamingHttpResponse(csv_lines(columns, rows), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return answer
