"""How settings are written in a table: by short names, their values in few digits."""

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


def short_value(value: object) -> str:
    """Return a setting's value as a table has it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _endings(name: str) -> list[str]:
    """Return what a name may be called, the shortest first and the name itself last."""
    parts = name.split(".")
    found = [
        ".".join(parts[start:])
        for start in range(len(parts) - 1, 0, -1)
        if parts[start] and not parts[start].isdigit()
    ]
    return [*found, name]
