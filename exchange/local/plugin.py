"""The pytest plugin that gives every test run its servers, before Django's settings are read."""

import contextlib
import os
import signal
from collections.abc import Generator

import pytest

from exchange.local.places import CannotStart
from exchange.local.suite import FLEETING, enter_worker, quick_place, serving_tests

_running = contextlib.ExitStack()


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    # A wrapper, because pytest-django reads the settings in this same hook, ahead of all that do not wrap.
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if not worker:
        signal.signal(signal.SIGTERM, _interrupt)
        try:
            _running.enter_context(serving_tests(os.environ, FLEETING, quick_place()))
        except CannotStart as refusal:
            raise pytest.UsageError(str(refusal)) from None
    enter_worker(os.environ, worker or "main")
    return (yield)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    _running.close()
