"""The distribution's Chromium, driven by Playwright; installed first where it is missing, as RabbitMQ is."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_APT = ["apt-get", "-o", "DPkg::Lock::Timeout=300", "-q", "-y", "--no-install-recommends"]


def chromium() -> str:
    """Path of the browser; installs the package when root on Debian or Ubuntu lacks it, else fails with one sentence."""
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is not None:
        return found
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise AssertionError("Chromium is not installed: run `apt-get install chromium` as root and start again.")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for steps in (["install", "chromium"], ["update"], ["install", "chromium"]):
        done = subprocess.run([*_APT, *steps], env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if done.returncode == 0 and (path := shutil.which("chromium")):
            return path
    raise AssertionError(f"Chromium could not be installed with apt-get:\n{done.stderr.decode(errors='replace')[-2000:]}")


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser without a window."""
    with sync_playwright() as playwright:
        # Its sandbox refuses to run as root; the pages are our own.
        running = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"] if os.geteuid() == 0 else [])
        try:
            yield running
        finally:
            running.close()
