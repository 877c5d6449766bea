"""A PostgreSQL server of the harness's own, on loopback, in a temporary folder."""

import getpass
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from tools.faults.scenario import Skipped

BINARIES = Path("/usr/lib/postgresql")  # Debian's; the latest version is taken


class Server:
    """A running server; each study may have a database of its own."""

    def __init__(self, binaries: Path, folder: Path, port: int) -> None:
        self.binaries, self.folder, self.port = binaries, folder, port

    def address(self, database: str = "postgres") -> str:
        """Return the storage address of a database that exists."""
        return f"postgresql+psycopg://sweeper@127.0.0.1:{self.port}/{database}"

    def create(self, database: str) -> str:
        """Make an empty database; return its storage address."""
        where = ("-h", "127.0.0.1", "-p", self.port, "-U", "sweeper")
        _as_postgres(self.binaries / "createdb", *where, database)
        return self.address(database)

    def restart(self) -> None:
        """Cut off every connection and start again, as after a crash."""
        self.control("-m", "immediate", "restart")

    def control(self, *words: object) -> None:
        """Start, stop or restart it."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1"
        options += f" -c unix_socket_directories={self.folder}"
        own = ("-D", self.folder / "data", "-w", "-l", self.folder / "log", "-o", options)
        _as_postgres(self.binaries / "pg_ctl", *own, *words)


@contextmanager
def server() -> Iterator[Server]:
    """Start a server, and remove it in the end. Raises Skipped where there is none."""
    installed = sorted(BINARIES.glob("*/bin"), key=lambda path: int(path.parent.name))
    if not installed:
        raise Skipped("no PostgreSQL server here (Debian: apt-get install postgresql)")
    if find_spec("psycopg") is None:
        raise Skipped("psycopg is not installed (pip install 'mnist-sweep[postgresql]')")
    folder = Path(tempfile.mkdtemp(prefix="mnist_sweep_pg"))
    try:
        if getpass.getuser() == "root":
            shutil.chown(folder, "postgres")
        _as_postgres(
            installed[-1] / "initdb", "-D", folder / "data", "-A", "trust", "-U", "sweeper"
        )
        found = Server(installed[-1], folder, _free_port())
        found.control("start")
        try:
            yield found
        finally:
            found.control("-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _as_postgres(*command: object) -> None:
    """Run a command; the server refuses to be root's, for whom Debian's package brings a user."""
    prefix = ["runuser", "-u", "postgres", "--"] if getpass.getuser() == "root" else []
    subprocess.run([*prefix, *map(str, command)], check=True, capture_output=True, cwd="/")
