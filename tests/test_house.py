"""The house keeps its own rules: no binary floats near money, the same files in every app, no inline script."""

import ast
import re
from pathlib import Path

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


def floats_in(path: Path) -> list[int]:
    """The lines of it that hold a binary float."""
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
    return literals + calls


def test_no_binary_float_stands_near_money() -> None:
    near_money = [path for path in CODE if not FLOATS_ALLOWED.match(name_of(path))]
    assert near_money
    assert {name_of(path): lines for path in near_money if (lines := floats_in(path))} == {}


def test_a_file_can_be_read_at_one_sitting() -> None:
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in CODE}
    assert lengths
    assert {name: lines for name, lines in lengths.items() if lines > 420} == {}


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


def test_no_template_carries_inline_script_or_style() -> None:
    inline = re.compile(
        r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>|\sstyle=|\son[a-z]+=\"|<style"
    )
    texts = {name_of(path): path.read_text(encoding="utf-8") for path in TEMPLATES}
    assert texts
    assert {name: found for name, text in texts.items() if (found := inline.findall(text))} == {}
