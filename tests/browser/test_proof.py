"""A customer checks in the browser that their balances are part of what we say we owe."""

import copy
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from ledger import proof as trees
from tests.browser.window import Window
from tests.journeys.site import Site
from tests.ledger.test_proof import TAMPERED

SOON = 15_000


@pytest.fixture
def own_proof(open_window: Callable[..., Window], site: Site) -> Page:
    """alice at her part of a proof that was just published."""
    site.manage("publish_proof")
    window = open_window()
    window.sign_in("alice")
    return window.visit("/proof/mine/")


def test_a_press_of_the_button_verifies_and_a_changed_digit_does_not_match(own_proof: Page) -> None:
    own_proof.click("[data-check]")
    expect(own_proof.locator("[data-outcome]")).to_contain_text("Verified", timeout=SOON)
    expect(own_proof.locator("[data-steps] li").first).to_contain_text("USDT")
    text = own_proof.locator("[data-text]")
    proof = json.loads(text.input_value())
    proof["amounts"][0] = str(Decimal(proof["amounts"][0]) + 1)
    text.fill(json.dumps(proof))
    own_proof.click("[data-check]")
    expect(own_proof.locator("[data-outcome]")).to_contain_text("Does not match", timeout=SOON)


ASSETS = ["BTC", "USDT"]


def documents() -> dict[str, dict[str, Any]]:
    """The parts of five customers of one tree, by customer, with everything an honest document says."""
    unit = 10**trees.DECIMALS
    leaves: list[trees.Leaf | None] = [
        trees.Leaf(number, bytes([number]) * 32, [3 * unit // 2, number * unit + 10**10])
        for number in range(1, 6)
    ]
    leaves += [None, None, None]
    tree = trees.build(ASSETS, leaves)
    said = {
        "format": trees.FORMAT,
        "assets": ASSETS,
        "root": tree.root.hex(),
        "totals": [*map(trees.text, tree.totals)],
    }
    size = trees.size_of(ASSETS)
    found = {}
    for position, leaf in enumerate(leaves):
        ways = [(level, ((position >> k) ^ 1) * size) for k, level in enumerate(tree.levels[:-1])]
        if leaf is not None:
            found[str(leaf.customer)] = {
                **said,
                **trees.part_of(leaf, position, [level[at : at + size] for level, at in ways]),
            }
    return found


VERIFY = """async ([given, root]) => {
  const { verify, Mismatch } = await import("/static/js/lib/liabilities.js");
  const verified = [];
  for (const [name, proof] of Object.entries(given)) {
    try { await verify(proof, root, () => {}); verified.push(name); }
    catch (error) { if (!(error instanceof Mismatch)) throw error; }
  }
  return verified;
}"""


def test_the_browser_refuses_what_the_independent_verifier_refuses(
    open_window: Callable[..., Window],
) -> None:
    given = documents()
    people, root = list(given), given["1"]["root"]
    for name in TAMPERED.keys() - {
        "another root"
    }:  # the page compares with the root it was told, not with the text's
        given[name] = copy.deepcopy(given["1"])
        TAMPERED[name](given[name])
    assert open_window().visit("/fees/").evaluate(VERIFY, [given, root]) == people
