"""A Label Studio of one's own: installed apart, started on this machine only, stopped again."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx

VERSION = "1.23.2"
LOOPBACK = "127.0.0.1"
_PLACE = "PRESSGANG_LABEL_STUDIO"
_DATABASE = "label_studio.sqlite3"
_LOG_TAIL = 2000


@dataclass(frozen=True, slots=True)
class Account:
    """The first user of a local server; password and token live in memory only."""

    email: str
    password: str = field(repr=False)
    token: str = field(repr=False, default_factory=lambda: secrets.token_hex(20))


def executable() -> Path:
    """Where the server's command is, or is to be: PRESSGANG_LABEL_STUDIO, else the user's cache.

    The variable names the virtual environment, a folder.
    """
    named = os.environ.get(_PLACE)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = Path(named) if named else cache / "pressgang" / f"label-studio-{VERSION}"
    return folder / "bin" / "label-studio"


def install() -> Path:
    """The server's command, after installing the pinned version where it is missing.

    It gets a virtual environment of its own: its pins are at odds with those of training. A folder
    that was left half made is finished, and two callers take turns. Raises OSError saying how the
    installation ended.
    """
    command = executable()
    if command.exists():
        return command
    folder = command.parent.parent
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not command.exists():
            _install(folder)
    return command


def _install(folder: Path) -> None:
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-compile"]
    for step in ([sys.executable, "-m", "venv", str(folder)], [*pip, f"label-studio=={VERSION}"]):
        done = subprocess.run(step, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()
            last = said[-1] if said else f"exit status {done.returncode}"
            raise OSError(f"{folder}: label-studio {VERSION} could not be installed ({last})")


@contextlib.contextmanager
def running(data: Path, account: Account, *, port: int = 0, patience: float = 900) -> Iterator[str]:
    """The address of a server that keeps its data in a folder, stopped at the end.

    The account is made at the first start in this folder, which takes about a minute; later starts
    leave it as it is. Port 0 takes a free one. Raises OSError if the port is taken, or the server
    is not there within `patience` seconds.
    """
    port = port or _free_port()
    if _is_taken(port):  # it would move on to the next port without a word
        raise OSError(f"port {port} is in use; choose another with --port")
    install()
    if not is_prepared(data):
        prepare(data, account, patience=patience)
    with _serving(data, account, port, patience) as url:
        yield url


def is_prepared(data: Path) -> bool:
    """Whether a server was started in this folder before."""
    return (data / _DATABASE).exists()


def prepare(data: Path, account: Account, *, patience: float = 900) -> None:
    """Make the data folder of a server, whole or not at all.

    Of a first start that is ended half-way, no later start could make anything.
    """
    data.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=data.parent, prefix=f".{data.name}.") as beside:
        made = Path(beside, "data")
        with _serving(made, account, _free_port(), patience):
            pass
        made.replace(data)


@contextlib.contextmanager
def _serving(data: Path, account: Account, port: int, patience: float) -> Iterator[str]:
    data.mkdir(exist_ok=True, mode=0o700)
    url = f"http://{LOOPBACK}:{port}"
    arguments = ["start", "--no-browser", "--internal-host", LOOPBACK, "--port", str(port)]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(  # noqa: S603
            [str(executable()), *arguments],
            env=_environment(data, url, account),
            cwd=data,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for us: we stop it in order
        )
        try:
            _await(process, url, time.monotonic() + patience)
            yield url
        except _NotThereError as error:
            log.seek(0)
            said = log.read()[-_LOG_TAIL:].decode(errors="replace")
            for hidden in (account.token, account.password):
                said = said.replace(hidden, "***")
            tail = " / ".join(said.strip().splitlines()[-3:])
            raise OSError(f"the Label Studio in {data} {error}: {tail}") from None
        finally:
            _stop(process)


def sign_in(url: str, account: Account) -> str:
    """The token of the account on a server that runs, after logging in as a person would.

    Raises ValueError if the password is not the account's.
    """
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as browser:
        browser.get("/user/login/")
        form = {
            "email": account.email,
            "password": account.password,
            "csrfmiddlewaretoken": browser.cookies.get("csrftoken") or "",
        }
        answer = browser.post("/user/login/", data=form, headers={"Referer": f"{url}/user/login/"})
        if not answer.is_redirect:
            raise ValueError(
                f"{url}: this is not the password of {account.email}; it was chosen when the "
                "server was first started with this data folder"
            )
        answer = browser.get("/api/current-user/token")
        if not answer.is_success:
            raise OSError(f"{url}: gives {account.email} no token ({answer.status_code})")
        return str(answer.json()["token"])


def wait() -> None:
    """Do nothing until the process is told to stop."""
    # A shell that starts a command in the background makes it deaf to SIGINT.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
    while True:
        time.sleep(3600)


class _NotThereError(Exception):
    """The server ended, or kept us waiting too long."""


def _await(process: subprocess.Popen[bytes], url: str, deadline: float) -> None:
    while True:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{url}/health", timeout=5, trust_env=False).is_success:
                return
        if process.poll() is not None:
            raise _NotThereError(f"ended with status {process.returncode}")
        if time.monotonic() > deadline:
            raise _NotThereError("did not answer in time")
        time.sleep(0.1)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _environment(data: Path, url: str, account: Account) -> dict[str, str]:
    """A clean one on purpose: the server also reads HOST, PORT, DEBUG, USERNAME and many more.

    It tells nobody that it is there, and may call a machine-learning backend on this machine.
    """
    return {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "HOME": str(data),  # it writes there even when asked for its version
        "PYTHONUNBUFFERED": "1",
        "LABEL_STUDIO_BASE_DATA_DIR": str(data),
        "LABEL_STUDIO_HOST": url,
        "LABEL_STUDIO_USERNAME": account.email,
        "LABEL_STUDIO_PASSWORD": account.password,
        "LABEL_STUDIO_USER_TOKEN": account.token,
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
        "LABEL_STUDIO_COLLECT_ANALYTICS": "false",
        "LABEL_STUDIO_LATEST_VERSION_CHECK": "false",
        "LABEL_STUDIO_SENTRY_DSN": "",
        "LABEL_STUDIO_FRONTEND_SENTRY_DSN": "",
        "LABEL_STUDIO_ML_BLOCK_LOCAL_IP": "false",
        "LABEL_STUDIO_SSRF_PROTECTION_ENABLED": "false",
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0
