"""Files that somebody has changed at random, read within little memory.

    python -m tests.inputs.fuzz MATERIAL CASES

MATERIAL is a folder with run/, bundle/, idx/ and c/confirmation.json. Each reader gets so many
seeded mutations of each of its files: cut short, bits flipped, lengths made huge, parts doubled,
moved or left out. What is read, or refused by a UserError of one line, is well; anything else is
printed, and the process ends with code 1.
"""

import hashlib
import json
import random
import re
import resource
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil
import torch

from mnist_sweep.bundle.brightness import read_brightness
from mnist_sweep.confirm.conclusion import read_conclusions
from mnist_sweep.data.sources import read_idx_set
from mnist_sweep.errors import UserError
from mnist_sweep.run.directory import RunDirectory
from mnist_sweep.run.exported import read_bundle
from mnist_sweep.run.load import load_trained

CPU = torch.device("cpu")
MEMORY = 300_000_000  # bytes beyond what the process has before it reads anything
SECONDS = 60  # of one file, on a machine that is busy
HUGE = (2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1)


def cut(content: bytes, chance: random.Random) -> bytes:
    """Return the beginning."""
    return content[: chance.randrange(len(content))]


def flipped(content: bytes, chance: random.Random) -> bytes:
    """Return it with some bits changed; more often near the beginning, where lengths are."""
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 3, 20))):
        place = chance.randrange(chance.choice((min(64, len(changed)), len(changed))))
        changed[place] ^= 1 << chance.randrange(8)
    return bytes(changed)


def lengthened(content: bytes, chance: random.Random) -> bytes:
    """Return it with a huge number in it: digits for others where it is text, or four bytes."""
    numbers = list(re.finditer(rb"\d+", content))
    if numbers and content[:1] in b"{[":
        found = chance.choice(numbers)
        digits = chance.choice((*map(str, HUGE), "9" * 400, "-1", "1e999")).encode()
        return content[: found.start()] + digits + content[found.end() :]
    size = chance.choice((4, 8))
    place = chance.randrange(chance.choice((64, len(content))))
    order = chance.choice(("little", "big"))
    number = (chance.choice(HUGE) % 256**size).to_bytes(size, order)
    return content[:place] + number + content[place + size :]


def mangled(content: bytes, chance: random.Random) -> bytes:
    """Return it with a part doubled, or left out."""
    first, last = sorted(chance.randrange(len(content) + 1) for _ in range(2))
    return content[:first] + content[first:last] * chance.choice((0, 2)) + content[last:]


MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    cut,
    flipped,
    lengthened,
    mangled,
)


def signed() -> None:
    """Have the bundle name the weights that it now has, as whoever changes them would."""
    described = Path("bundle/bundle.json")
    description = json.loads(described.read_text(encoding="utf-8"))
    weights = Path("bundle/weights.safetensors").read_bytes()
    description["weights_sha256"] = hashlib.sha256(weights).hexdigest()
    described.write_text(json.dumps(description), encoding="utf-8")


def read_signed() -> None:
    """Read the bundle, whatever its weights are."""
    before = Path("bundle/bundle.json").read_bytes()
    signed()
    try:
        read_bundle("bundle", CPU)
    finally:
        Path("bundle/bundle.json").write_bytes(before)


RAW = "idx/MNIST/raw"
READERS: dict[str, Callable[[], object]] = {
    f"{RAW}/train-images-idx3-ubyte": lambda: read_idx_set(Path(RAW), {}),
    f"{RAW}/t10k-labels-idx1-ubyte": lambda: read_idx_set(Path(RAW), {}),
    "bundle/bundle.json": lambda: read_bundle("bundle", CPU),
    "bundle/weights.safetensors": read_signed,
    "run/checkpoints/last.pt": lambda: RunDirectory(Path("run")).load_last(CPU),
    "run/checkpoints/best.safetensors": lambda: load_trained("run", CPU),
    "run/result.json": lambda: load_trained("run", CPU),
    "run/metrics.jsonl": lambda: RunDirectory(Path("run")).read_metrics(),
    "run/.hydra/config.yaml": lambda: load_trained("run", CPU),
    "c/confirmation.json": lambda: read_conclusions([Path()], "c"),
    "digit.png": lambda: read_brightness(Path("digit.png")),
}


def outcome(read: Callable[[], object]) -> str:
    """Return "read", "refused", or what else became of a file."""
    signal.alarm(SECONDS)
    try:
        read()
    except UserError as error:
        return "refused" if "\n" not in str(error) and len(str(error)) < 2000 else "unclear"
    except MemoryError:
        return "memory"
    except TimeoutError:
        return "hung"
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:200]
    else:
        return "read"
    finally:
        signal.alarm(0)


def hang(number: int, frame: object) -> None:
    """End a reader that does not end itself."""
    raise TimeoutError


def fuzz(cases: int) -> Counter[str]:
    """Read mutations of every file in the current folder; return how many ended how."""
    found: Counter[str] = Counter()
    for name, read in READERS.items():
        path = Path(name)
        content = path.read_bytes()
        assert outcome(read) == "read", f"{name}: {outcome(read)}"
        for number in range(cases):
            chance = random.Random(f"{name} {number}")
            mutation = MUTATIONS[number % len(MUTATIONS)]
            path.write_bytes(mutation(content, chance))
            ended = outcome(read)
            found[ended] += 1
            if ended not in ("read", "refused"):
                print(f"{name}, {mutation.__name__}, case {number}: {ended}")
        path.write_bytes(content)
    return found


def main(material: str, cases: int) -> None:
    """Fuzz copies of some files within little memory."""
    for name in ("run", "bundle", "idx", "c"):
        shutil.copytree(Path(material, name), name)
    shutil.copy(Path(material, "digit.png"), "digit.png")
    signal.signal(signal.SIGALRM, hang)
    for read in READERS.values():  # what is imported on the way is not theirs
        read()
    limit = psutil.Process().memory_info().vms + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    found = fuzz(cases)
    bad = sum(found.values()) - found["read"] - found["refused"]
    print(
        f"changed files: {sum(found.values())} tried, {found['read']} read, "
        f"{found['refused']} refused in one line, {bad} ended otherwise"
    )
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
