"""What a person does in a browser window, and what the browser says about the pages on the way."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ConsoleMessage, Page, expect

from tests.journeys.site import Site

# Unasked, axe writes imported style sheets into the page anew, which our policy forbids it.
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "preload": False,
}
# A refusal by the API is told by its status, and the browser writes that down as well.
EXPECTED = ("the server responded with a status of 40",)


class Window:
    """A page of its own session; `complaints` gathers errors of scripts, policies and missing files."""

    def __init__(self, page: Page, site: Site) -> None:
        self.page, self.site = page, site
        self.complaints: list[str] = []
        page.on("console", self._listen)
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(text in message.text for text in EXPECTED):
            self.complaints.append(f"{self.page.url}: {message.text}")

    def visit(self, path: str) -> Page:
        answer = self.page.goto(f"{self.site.url}{path}")
        assert answer is not None and answer.status == 200, f"{path}: {answer and answer.status}"
        return self.page

    def sign_in(self, name: str) -> None:
        self.visit("/accounts/login/")
        self.page.fill("[name=login]", f"{name}@example.com")
        self.page.fill("[name=password]", self.site.passwords[name])
        self.page.press("[name=password]", "Enter")
        expect(self.page.locator(".menu-who")).to_contain_text(name)

    def faults(self) -> list[str]:
        """What axe finds serious or critical on the page as it is."""
        found = Axe().run(self.page, options=RULES).response["violations"]
        return [
            f"{rule['id']}: {rule['nodes'][0]['html'][:120]}"
            for rule in found
            if rule["impact"] in {"serious", "critical"}
        ]

    def overhang(self) -> int:
        """How many pixels the page is wider than the window."""
        width: int = self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        return width

    def cut_off(self) -> list[str]:
        """Tables that are wider than the panel they scroll in."""
        found: list[str] = self.page.evaluate(
            """() => [...document.querySelectorAll(".table-scroll, .mine-scroll")]
              .filter((part) => part.scrollWidth > part.clientWidth)
              .map((part) => `${part.getAttribute("aria-labelledby")}: ${part.scrollWidth} > ${part.clientWidth}`)"""
        )
        return found
