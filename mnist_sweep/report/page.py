"""index.html: a report's sections as one page that needs nothing beside it.

Nothing on it runs but its own script: the page's policy names that by its hash, so that what a
study's names and notes hold cannot run, whatever it is.
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from matplotlib.figure import Figure

from mnist_sweep.report.blocks import Section
from mnist_sweep.report.drawing import svg

HERE = Path(__file__).parent
# Within a script element: neither its end, nor a comment's beginning, nor a line's end of old.
UNSAFE = {ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&\u2028\u2029"}


def page(
    name: str,
    sections: Sequence[Section],
    figures: Mapping[str, Figure],
    trials: Mapping[str, Any] | None = None,
) -> str:
    """Return a report as a page, the figures as SVG within it.

    `trials`: what its script shows of each trial, as `trial_data` has it; none without trials.
    """
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["breakable"] = _breakable
    script = (HERE / "page.js").read_text(encoding="utf-8")
    style = (HERE / "page.css").read_text(encoding="utf-8")
    return environment.get_template("page.html.j2").render(
        name=name,
        sections=sections,
        drawn={key: Markup(svg(figure, key)) for key, figure in figures.items()},
        style=Markup(style),
        script=Markup(script),
        policy=_policy(script),
        trials=Markup(as_json(trials or {})),
    )


def _breakable(name: str) -> Markup:
    """Return a name as markup that may be broken after a dot or an underscore."""
    return Markup("<wbr>").join(re.split(r"(?<=[._])", name))


def _policy(script: str) -> str:
    """Return the page's content security policy: no address, no script but this one."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def as_json(value: Any) -> str:
    """Return a value as JSON that a script element can hold; what is no finite number is null."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.translate(UNSAFE)
