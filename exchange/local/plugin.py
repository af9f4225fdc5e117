"""The pytest plugin that gives every test run its servers, before Django's settings are read."""

import contextlib
import gc
import os
import signal
import threading
from collections.abc import Generator

import pytest

from exchange.local.places import CannotStart
from exchange.local.suite import FLEETING, enter_worker, make_template, quick_place, serving_tests
from exchange.memory import SELDOM

_running = contextlib.ExitStack()


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    # A wrapper, because pytest-django reads the settings in this same hook, ahead of all that do not wrap.
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    gc.set_threshold(*SELDOM)  # what is loaded and collected by the thousand stays
    if not worker:
        signal.signal(signal.SIGTERM, _interrupt)
        try:
            _running.enter_context(serving_tests(os.environ, FLEETING, quick_place()))
        except CannotStart as refusal:
            raise pytest.UsageError(str(refusal)) from None
    enter_worker(os.environ, worker or "main")
    given = early_config.known_args_namespace
    if not worker and given.numprocesses and not given.file_or_dir:
        _migrate_meanwhile()
    return (yield)


def _migrate_meanwhile() -> None:
    """The whole suite wants the template, and its workers load their tests first; what is wrong with it they say."""

    def make(environment: dict[str, str]) -> None:
        with contextlib.suppress(CannotStart):
            make_template(environment)

    thread = threading.Thread(target=make, args=[dict(os.environ)])
    _running.callback(thread.join)
    thread.start()


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    _running.close()
