"""A Slurm cluster of one machine in a temporary folder, for the tests that want a real one."""

import getpass
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from mnist_sweep.cli.interruption import interruptible

COMMANDS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel")
PATIENCE = 400.0  # seconds that a state is waited for, on a machine that does other things too

# `munged` keeps a socket of its own. No cgroups, no accounting, no plugin that wants a cluster.
# There may be fewer cores than CPUS, which `config_overrides` allows. A job in `urgent` preempts.
CPUS = 4
CONFIG = """
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
PropagatePrioProcess=1
ReturnToService=2
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,bf_interval=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=8000
PartitionName=main Nodes={host} Default=YES State=UP PriorityTier=1
PartitionName=urgent Nodes={host} State=UP PriorityTier=10 PreemptMode=OFF
"""


def missing() -> str | None:
    """Say why no cluster can be started here; None where one can."""
    absent = [name for name in COMMANDS if shutil.which(name) is None]
    if absent:
        return f"no {absent[0]} here (Debian: apt-get install slurm-wlm munge)"
    if getpass.getuser() != "root":
        return "slurmd starts jobs as root only"
    return None


class Cluster:
    """A running cluster. `folder` has its config, its state and its logs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def state(self, job: str) -> str:
        """Return a job's state, such as RUNNING; empty where Slurm has forgotten it."""
        shown = self.ask("scontrol", "show", "job", "--oneliner", job)
        return shown.partition("JobState=")[2].partition(" ")[0]

    def ask(self, *words: str) -> str:
        """Run a command of Slurm's and return what it prints."""
        done = subprocess.run(words, capture_output=True, text=True)
        return done.stdout

    def requeue(self, task: str) -> None:
        """Have a task requeued, and run again at once: Slurm itself waits for two minutes."""
        self.ask("scontrol", "requeue", task)
        self.hurry(task)

    def hurry(self, task: str) -> None:
        """Have a task that was requeued start again at once, as soon as it has ended."""
        self.wait(lambda: self.state(task) == "PENDING", f"{task} requeued")
        due = 0.0

        def starts() -> bool:
            nonlocal due  # each change has the scheduler begin anew
            if time.monotonic() > due:
                self.ask("scontrol", "update", f"JobId={task}", "StartTime=now")
                due = time.monotonic() + 10
            return self.state(task) != "PENDING"

        self.wait(starts, f"{task} to start again")

    def is_over(self, job: str) -> bool:
        """Whether no task of a job waits or runs any more."""
        return not self.ask("squeue", "--noheader", "--job", job).strip()

    def wait(self, condition: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
        """Wait for a condition. Raises AssertionError with the logs' last lines."""
        deadline = time.monotonic() + patience
        while not condition():
            if time.monotonic() > deadline:
                logs = "".join(
                    f"\n{path.name}: {path.read_text(errors='replace')[-1500:]}"
                    for path in self.folder.glob("*.log")
                )
                raise AssertionError(f"waited {patience:g}s for {what}{logs}")
            time.sleep(0.2)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Yield a cluster that runs, with SLURM_CONF pointing at it; end it with all its jobs."""
    folder = Path(tempfile.mkdtemp(prefix="mnist_sweep_slurm"))
    folder.chmod(0o755)  # munged looks at the folders above its socket
    before = os.environ.get("SLURM_CONF")
    try:
        _munge(folder / "munge")
        _configure(folder)
        os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
        for daemon in ("slurmctld", "slurmd"):
            subprocess.run([daemon, "-c"], check=True, capture_output=True)
        started = Cluster(folder)
        started.wait(lambda: "idle" in started.ask("sinfo", "-h", "-o", "%t"), "an idle node")
        yield started
        started.ask("scancel", "--user", getpass.getuser())
    finally:
        for pid_file in ("slurmd.pid", "slurmctld.pid", "munge/pid"):
            _end(folder / pid_file)
        shutil.rmtree(folder, ignore_errors=True)
        os.environ.pop("SLURM_CONF", None)
        if before is not None:
            os.environ["SLURM_CONF"] = before


def _munge(folder: Path) -> None:
    folder.mkdir()
    key = folder / "key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o600)
    for path in (folder, key):
        shutil.chown(path, "munge")
    folder.chmod(0o711)
    paths = {"socket": "socket", "key-file": "key", "pid-file": "pid", "seed-file": "seed"}
    options = [f"--{name}={folder}/{file}" for name, file in paths.items()]
    subprocess.run(
        ["runuser", "-u", "munge", "--", "munged", f"--log-file={folder}/log", *options],
        check=True,
        capture_output=True,
    )


def _configure(folder: Path) -> None:
    for name in ("state", "spool"):
        (folder / name).mkdir()
    probes = [socket.socket() for _ in range(2)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    host = socket.gethostname().partition(".")[0]
    text = CONFIG.format(host=host, ports=ports, user=getpass.getuser(), folder=folder, cpus=CPUS)
    (folder / "slurm.conf").write_text(text)


def _end(pid_file: Path) -> None:
    try:
        process = psutil.Process(int(pid_file.read_text()))
        children = process.children(recursive=True)
        process.terminate()
        _, alive = psutil.wait_procs([process, *children], timeout=10)
    except (OSError, ValueError, psutil.Error):  # it has not started, or has ended
        return
    for left in alive:
        left.kill()


if __name__ == "__main__":
    reason = missing()
    if reason:
        sys.exit(reason)
    with interruptible(), suppress(KeyboardInterrupt), cluster() as running:
        print(f"export SLURM_CONF={running.folder}/slurm.conf", flush=True)
        time.sleep(86_400)
