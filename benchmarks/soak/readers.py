"""How long the programs that read a study take on one of thousands of trials.

    python -m benchmarks.soak.readers [TRIALS=2000]

A sweep of six trials of a linear model on mnist_5k, copied until there are so many (`copies`): then
the report, a confirmation of two configurations with two seeds, and what optuna-dashboard's server
needs for the pages of that study. Seconds of CPU time, of all processes of each.
"""

import io
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

from optuna_dashboard import wsgi

from benchmarks.common import command, title
from benchmarks.soak.copies import multiply
from mnist_sweep.sweep.read_only import open_to_read

REAL, STUDY, ADDRESS = 6, "soak", "sqlite:///multirun/optuna.db"
SWEEP = ["search=schedule", "model=linear", "data=mnist_5k", "epochs=3", "threads=1"]


def cpu_of(arguments: list[str], folder: Path) -> float:
    """Return the CPU seconds of a module of ours and of the processes that it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command(arguments, folder)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def page(path: str, query: str = "") -> tuple[float, int]:
    """Return the CPU seconds of an answer of optuna-dashboard's, and its bytes."""
    asked = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.url_scheme": "http",
    }
    application, start = wsgi(open_to_read(ADDRESS)), time.process_time()
    body = b"".join(application(asked, lambda *given: None))
    return time.process_time() - start, len(body)


def main(trials: int) -> None:
    """Make the study and print what each program takes."""
    title(f"CPU seconds on a study of {trials:,} trials")
    study = [f"study={STUDY}", f"storage={ADDRESS}"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sizes = [f"hydra.sweeper.n_trials={REAL}", f"hydra.sweeper.study_name={STUDY}"]
        command(["mnist_sweep.train", "-m", *SWEEP, *sizes], folder)
        multiply(folder, STUDY, trials)
        print(f"  report   {cpu_of(['mnist_sweep.report', *study], folder):.1f}")
        seeds = ["top=2", "seeds=2"]
        print(f"  confirm  {cpu_of(['mnist_sweep.confirm', *study, *seeds], folder):.1f}")
        os.chdir(folder)
        for path, query in (("/api/studies", ""), ("/api/studies/1", "after=0")):
            seconds, size = page(path, query)
            print(f"  dashboard {path} {query:<8} {seconds:.1f}, {size / 1e6:.1f} MB")
        os.chdir("/")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
