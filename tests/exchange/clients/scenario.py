"""A scenario: named steps that one client walks, each a sentence about what it finds."""

import asyncio
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

LEAST = 30
PATIENCE = 20  # seconds for a step that waits
Say = Callable[[str], None]


class Scenario:
    """Steps in the order in which they stand in the file; each leaves no order open behind it."""

    def __init__(self, package: str, name: str = "") -> None:
        self._name = f"{name or package} {version(package)}"
        self._steps: list[Callable[..., Any]] = []
        self._failures: list[Exception] = []

    def step(self, act: Callable[..., Any]) -> Callable[..., Any]:
        self._steps.append(act)
        return act

    def walk(self, say: Say, *world: Any) -> None:
        """Every step was taken, whatever became of the ones before it; those that failed are named."""
        for act in self._steps:
            try:
                act(*world)
            except Exception as failure:
                self._remember(act, failure)
        self._judge(say)

    async def walk_asynchronously(self, say: Say, *world: Any) -> None:
        """The same, for steps that wait; one that waits too long has failed."""
        for act in self._steps:
            try:
                async with asyncio.timeout(PATIENCE):
                    await act(*world)
            except Exception as failure:
                self._remember(act, failure)
        self._judge(say)

    def _remember(self, act: Callable[..., Any], failure: Exception) -> None:
        failure.add_note(f"in the step: {act.__name__.replace('_', ' ')}")
        self._failures.append(failure)

    def _judge(self, say: Say) -> None:
        failures, self._failures = self._failures, []
        passed = len(self._steps) - len(failures)
        say(f"{self._name} passed {passed} of {len(self._steps)} steps")
        if failures:
            raise ExceptionGroup(f"{self._name}: {len(failures)} steps failed", failures)
        assert passed >= LEAST
