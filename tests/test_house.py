"""The house keeps its own rules: no binary floats near money, the same files in every app, no inline script."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CODE = [
    path
    for folder in ("exchange", "accounts", "ledger", "markets", "orders")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if "migrations" not in path.parts
]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
# Where binary floats are right: clocks and waits, sort keys of books, plausible noise of the simulated market.
FLOATS_ALLOWED = re.compile(
    r"exchange/(local/|binance/(transport|streams|market_streams|rest)|gate/|paper/|management/|broadcast|database|desk/)"
    r"|markets/(book|stream|consumers)"
)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", CODE, ids=name_of)
def test_no_binary_float_stands_near_money(path: Path) -> None:
    if FLOATS_ALLOWED.match(name_of(path)):
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    literals = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, float)
    ]
    calls = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float"
    ]
    assert literals + calls == []


@pytest.mark.parametrize("path", CODE, ids=name_of)
def test_a_file_can_be_read_at_one_sitting(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 420


def test_nobody_writes_a_drawer_of_odds_and_ends() -> None:
    assert [name_of(path) for path in CODE if path.stem in {"utils", "helpers", "common", "misc"}] == []


def test_only_the_reader_of_settings_reads_the_environment() -> None:
    readers = {
        name_of(path)
        for path in CODE
        if re.search(r"os\.environ(?!\.setdefault)|os\.getenv|Env\(\)", path.read_text(encoding="utf-8"))
    }
    allowed = re.compile(r"exchange/(settings/reading|failpoints)\.py|exchange/local/")
    assert {name for name in readers if not allowed.match(name)} == set()


@pytest.mark.parametrize("path", TEMPLATES, ids=name_of)
def test_no_template_carries_inline_script_or_style(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    inline = re.findall(
        r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>|\sstyle=|\son[a-z]+=\"|<style", text
    )
    assert inline == []
