"""The distribution's Chromium, driven by Playwright; installed first where it is missing, as RabbitMQ is."""

from __future__ import annotations

import ctypes.util
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from deploy.servers import debian_packages

_NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str:
    """Path of the browser; installs the package when root on Debian or Ubuntu lacks it, else fails with one sentence."""
    if ctypes.util.find_library("atomic") is None:  # Playwright's own node needs it, and a bare Debian has none
        debian_packages.install("libatomic1", "The library libatomic")
    if (found := _found()) is None:
        debian_packages.install("chromium", "Chromium")
        found = _found()
    assert found is not None, "Chromium was installed, but is not on the PATH."
    return found


def _found() -> str | None:
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser without a window."""
    path = chromium()
    with sync_playwright() as playwright:
        # Its sandbox refuses to run as root; the pages are our own.
        running = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        try:
            yield running
        finally:
            running.close()
