"""`curl`, as far as the handbook uses it: the address of the platform is that of the gateway under test.

The proxy in between has a test of its own (tests/e2e/test_behind_the_proxy.py).
"""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path

from tests.handbook.docker import DESK


def main() -> None:
    """Send one request and print the answer; as with ``-f`` the status is 22 when it is refused."""
    desk = json.loads(Path(os.environ[DESK]).read_text())
    url, data, headers, method = "", None, {}, None
    left = sys.argv[1:]
    while left:
        word = left.pop(0)
        if word == "-fsS":
            continue
        if word == "-H":
            name, _, value = left.pop(0).partition(": ")
            headers[name] = value
        elif word == "-X":
            method = left.pop(0)
        elif word == "-d":
            data = left.pop(0).encode()
        elif word.startswith(desk["address"]):
            url = desk["gateway"] + word.removeprefix(desk["address"])
        else:
            sys.stderr.write(f"curl: {word} is not known\n")
            sys.exit(2)
    try:
        request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310  (of the gateway under test)
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
            sys.stdout.write(answer.read().decode() + "\n")
    except urllib.error.HTTPError as error:
        sys.stderr.write(f"curl: (22) {error.code} {error.read().decode()}\n")
        sys.exit(22)


if __name__ == "__main__":
    main()
