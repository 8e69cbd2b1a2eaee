"""A browser without a screen: keeps cookies, fills in forms, and says where it was when it asks, as browsers do."""

from __future__ import annotations

import re
from types import TracebackType
from typing import Any, Self

import httpx


class PageBrowser:
    """One person's browser at one gateway."""

    def __init__(self, port: int, **cookies: str) -> None:
        self.origin = f"http://127.0.0.1:{port}"
        self._client = httpx.Client(base_url=self.origin, timeout=20.0, trust_env=False)
        self._name = f"mpp-loopback-{port}"
        if cookies:
            self.cookie = cookies["cookie"]

    @property
    def cookie(self) -> str:
        """What it holds of us; empty for nothing."""
        return self._client.cookies.get(self._name) or ""

    @cookie.setter
    def cookie(self, value: str) -> None:
        self._client.cookies.clear()
        self._client.cookies.set(self._name, value, domain="127.0.0.1", path="/")

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Look at a page, or ask the API."""
        return self._client.get(path, headers=headers)

    def come_back(self, path: str, parameters: dict[str, str]) -> httpx.Response:
        """Follow the redirect of another site."""
        return self._client.get(path, params=parameters, headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"})

    def submit(self, path: str, fields: dict[str, str], **headers: str) -> httpx.Response:
        """Send a form of ours."""
        return self._client.post(path, data=fields, headers={"Origin": self.origin, "Sec-Fetch-Site": "same-origin", **headers})

    def change(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """Do what a script of our pages does."""
        ours = {"Origin": self.origin, "Sec-Fetch-Site": "same-origin", "CSRF-Token": self.csrf_token()}
        return self._client.post(path, json=body, headers={**ours, **headers})

    def sign_in(self, username: str, password: str) -> httpx.Response:
        """Fill in the form."""
        return self.submit("/sign-in", {"username": username, "password": password, "next": "/account"})

    def csrf_token(self) -> str:
        """The proof on a page of ours."""
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.get("/account").text)
        return found[1] if found else ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._client.close()
