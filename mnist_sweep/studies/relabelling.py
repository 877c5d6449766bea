"""What the folder of a renamed study says of its name, and of where it is.

`.hydra/hydra.yaml`, `.hydra/overrides.yaml` and logs keep the name: they say how runs were started,
and nothing is read from them.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from mnist_sweep.confirm import conclusion
from mnist_sweep.files import replacing
from mnist_sweep.study_folder import CONFIRMATION
from mnist_sweep.sweep import summary
from mnist_sweep.sweep.trials import outcomes
from mnist_sweep.text import one_line, relative
from mnist_sweep.untrusted_files import parse_config, parse_json, text_of


def relabel(folder: Path, old: str, new: str) -> None:
    """Have the records of a study's folder, which is where it belongs now, say its new name.

    Doing it again changes nothing. Raises OSError, and ValueError, in a line, for a record that is
    damaged.
    """
    for run in _runs(folder):
        _with_result(run, old, new)
        _with_config(run, old, new)
    for path in _confirmations(folder):
        _with_directories(path, folder)
    _with_summary(summary.path_in(folder), folder, new)


def check_readable(folder: Path) -> None:
    """Read all that `relabel` is to change, wherever the folder is. Raises what that does."""
    for run in _runs(folder):
        if (path := _config_of(run)).is_file():
            _read(path, parse_config)
    for path in _confirmations(folder):
        _read(path, _json_of)
    if (path := summary.path_in(folder)).is_file():
        _read(path, OmegaConf.load)


def _runs(folder: Path) -> Iterator[Path]:
    """Yield the directories of a study's trials."""
    for path in sorted(folder.iterdir()):
        if path.name.isdigit() and path.is_dir() and not path.is_symlink():
            yield path


def _config_of(run: Path) -> Path:
    return run / ".hydra" / "config.yaml"


def _confirmations(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{CONFIRMATION}*/{conclusion.FILE}"))


def _json_of(path: Path) -> dict[str, Any]:
    return parse_json(text_of(path))


def _with_result(run: Path, old: str, new: str) -> None:
    result = outcomes.recorded(run)
    if result.get("study") == old:
        text = json.dumps(result | {"study": new}, indent=2) + "\n"
        _write(run / outcomes.RESULT, text)


def _with_config(run: Path, old: str, new: str) -> None:
    path = _config_of(run)
    if not path.is_file():
        return
    config = _read(path, parse_config)
    if OmegaConf.select(config, "study", throw_on_resolution_failure=False) == old:
        OmegaConf.update(config, "study", new)
        _write(path, OmegaConf.to_yaml(config))


def _with_directories(path: Path, folder: Path) -> None:
    """Have a confirmation name the study's runs where they are."""
    found = _read(path, _json_of)
    standings = found.get("standings")
    for standing in standings if isinstance(standings, list) else ():
        if isinstance(standing, dict) and "directory" in standing:
            standing["directory"] = _here(standing["directory"], folder)
    _write(path, json.dumps(found, indent=2) + "\n")


def _with_summary(path: Path, folder: Path, new: str) -> None:
    if not path.is_file():
        return
    found = _read(path, OmegaConf.load)
    if isinstance(found, DictConfig):
        found.study_name = new
        if found.get("best_run_directory") is not None:
            found.best_run_directory = _here(found.best_run_directory, folder)
        _write(path, OmegaConf.to_yaml(found))


def _here(recorded: Any, folder: Path) -> Any:
    """Return a trial's directory as it is now in a study's folder; anything else as it is."""
    name = Path(recorded).name if isinstance(recorded, str) else ""
    return relative(folder / name) if name.isdigit() and (folder / name).is_dir() else recorded


def _read(path: Path, read: Callable[[Path], Any]) -> Any:
    try:
        return read(path)
    except OSError:
        raise
    except Exception as error:  # YAML's and OmegaConf's kinds
        raise ValueError(f"{relative(path)} is damaged: {one_line(error)}") from error


def _write(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
