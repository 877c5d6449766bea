"""Run directories that are damaged, or no run's: read by every command that takes one."""

from pathlib import Path

from tests.inputs.case import case, cut, loop, pipe, removed, written

CONFIG, RESULT = "run/.hydra/config.yaml", "run/result.json"
METRICS = "run/metrics.jsonl"
BEST, LAST = "run/checkpoints/best.safetensors", "run/checkpoints/last.pt"


def unfinished(then):
    """Return a function that makes a run one to resume, and then spoils it."""

    def spoil():
        text = Path(RESULT).read_text()
        assert '"complete"' in text
        Path(RESULT).write_text(text.replace('"complete"', '"interrupted"'))
        then()

    spoil.__name__ = then.__name__
    return spoil


DAMAGES = (
    (removed(CONFIG), "is not a run directory"),
    (written(CONFIG, ""), "config.yaml is damaged"),
    (written(CONFIG, "a: ["), "config.yaml is damaged"),
    (written(CONFIG, b"\xff\xfe"), "config.yaml is damaged"),
    (written(CONFIG), "is not a run directory"),
    (pipe(CONFIG), "is not a run directory"),
    (loop(CONFIG), "is not a run directory"),
    (written(CONFIG, "seed: 0\n"), "a value must be given"),
)
OF_THE_RESULT = (
    (removed(RESULT), "result.json"),
    (written(RESULT, ""), "result.json"),
    (written(RESULT, "[]"), "result.json"),
    (written(RESULT, "{"), "result.json"),
    (written(RESULT, b"\xff"), "result.json"),
    (written(RESULT, '{"val_acc": 1e999}'), "result.json"),
    (written(RESULT, "[" * 100_000), "result.json"),
    (written(RESULT), "result.json"),
    (pipe(RESULT), "result.json"),
    (loop(RESULT), "result.json"),
)
OF_THE_WEIGHTS = (
    (removed(BEST), "best.safetensors"),
    (written(BEST, ""), "best.safetensors"),
    (cut(BEST, 500), "best.safetensors"),
    (written(BEST, b"\xff" * 64), "best.safetensors"),
    (written(BEST), "best.safetensors"),
    (pipe(BEST), "best.safetensors"),
    (loop(BEST), "best.safetensors"),
)
TO_RESUME = (
    (removed(LAST), "no epoch of it was finished"),
    (written(LAST, ""), "last.pt is damaged"),
    (cut(LAST, 500), "last.pt is damaged"),
    (written(LAST, b"\x80\x02}q\x00."), "last.pt is damaged"),
    (written(LAST), "last.pt"),
    (pipe(LAST), "last.pt"),
    (loop(LAST), "no epoch of it was finished"),
    (written(METRICS, "{}\n"), "metrics.jsonl"),
    (written(METRICS, b"\xff\n"), "metrics.jsonl"),
    (written(METRICS), "metrics.jsonl"),
    (pipe(METRICS), "metrics.jsonl"),
    (written(RESULT, "{"), "result.json"),
)
CASES = [
    *(case("train resume=run", says, "run", unfinished(spoil)) for spoil, says in TO_RESUME),
    *(case("train resume=run", says, "run", spoil) for spoil, says in DAMAGES[:3]),
    *(
        case("export run=run to=b", says, "run", spoil)
        for spoil, says in (*DAMAGES, *OF_THE_RESULT, *OF_THE_WEIGHTS)
    ),
    *(
        case(f"{command} run=run", says, "run", spoil)
        for command in ("reproduce", "pictures")
        for spoil, says in (DAMAGES[0], DAMAGES[2], *OF_THE_RESULT[2:4])
    ),
    *(
        case("confirm runs=run", says, "run", spoil)
        for spoil, says in (DAMAGES[0], DAMAGES[2], *OF_THE_RESULT[2:5])
    ),
    case("reproduce run=run", "metrics.jsonl", "run", written(METRICS, "3\n")),
    case("reproduce run=run", "no epoch", "run", written(METRICS, "")),
    case("train resume=.", "resume=. is not a run directory"),
    case("train resume=/dev/null", "is not a run directory"),
    case("train resume=run epochs=5", "resume takes the run's own settings", "run"),
    case("train resume=run hydra.run.dir=x", "leave hydra.run.dir out", "run"),
]
