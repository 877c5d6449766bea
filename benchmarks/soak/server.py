"""A PostgreSQL server on loopback, in a temporary folder, for as long as it is used."""

import getpass
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


@contextmanager
def postgresql() -> Iterator[str]:
    """Yield the address of an empty database; exit with what to install where there is no server.

    The server refuses to run as root; Debian's package brings a user for it.
    """
    if not BINARIES:
        sys.exit("error: there is no PostgreSQL server here (Debian: apt-get install postgresql)")
    root = getpass.getuser() == "root"
    folder = Path(tempfile.mkdtemp(prefix="soak_pg"))
    if root:
        shutil.chown(folder, "postgres")

    def run(program: str, *arguments: object) -> None:
        prefix = ["runuser", "-u", "postgres", "--"] if root else []
        line = [*prefix, str(BINARIES[-1] / program), *map(str, arguments)]
        subprocess.run(line, check=True, capture_output=True, cwd="/")

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = folder / "data"
    run("initdb", "-D", data, "-A", "trust", "-U", "sweeper")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
    run("pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start")
    try:
        yield f"postgresql+psycopg://sweeper@127.0.0.1:{port}/postgres"
    finally:
        run("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
        shutil.rmtree(folder)
