"""Short names of settings: as much of the end of each as tells it from the others."""

from collections.abc import Collection


def short_names(names: Collection[str]) -> dict[str, str]:
    """Return each setting's shortest ending that no other has: optimizer.lr is lr.

    Whole parts between dots; a number, an element of a list, keeps what it is an element of.
    """
    endings = {name: _endings(name) for name in names}
    return {
        name: next(
            ending
            for ending in mine
            if ending == name
            or not any(ending in theirs for other, theirs in endings.items() if other != name)
        )
        for name, mine in endings.items()
    }


def _endings(name: str) -> list[str]:
    """Return what a name may be called, the shortest first and the name itself last."""
    parts = name.split(".")
    found = [
        ".".join(parts[start:])
        for start in range(len(parts) - 1, 0, -1)
        if parts[start] and not parts[start].isdigit()
    ]
    return [*found, name]
