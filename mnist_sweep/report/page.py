"""index.html: a report's sections as one page that needs nothing beside it.

Nothing on it runs but its own script: the page's policy names that by its hash, so that what a
study's names and notes hold cannot run, whatever it is.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup
from matplotlib.figure import Figure

from mnist_sweep.report.blocks import Section
from mnist_sweep.report.drawing import svg
from mnist_sweep.text import visible
from mnist_sweep.web_pages import as_json, source_of, templates

HERE = Path(__file__).parent
LONG = 14  # letters of a column's name, as in page.js
LIVE = HERE / "live"


@dataclass(frozen=True)
class Live:
    """What a page has beside its content that is renewed while it is looked at.

    `line`: how old it is; `news`: the address at which its script asks for the latest `version`;
    `seconds`: after how many it is loaded again where no script runs; `home`: the list of studies.
    """

    line: str
    news: str
    version: str
    seconds: int
    home: str | None = None


def page(
    name: str,
    sections: Sequence[Section],
    figures: Mapping[str, Figure],
    trials: Mapping[str, Any] | None = None,
    live: Live | None = None,
) -> str:
    """Return a report as a page, the figures as SVG within it.

    `trials`: what its script shows of each trial, as `trial_data` has it; none without trials.
    """
    drawn = {key: Markup(svg(figure, key)) for key, figure in figures.items()}
    return rendered("page.html.j2", name, live, trials, sections=sections, drawn=drawn)


def rendered(
    template: str,
    name: str,
    live: Live | None,
    trials: Mapping[str, Any] | None = None,
    **content: Any,
) -> str:
    """Return a page of a template that has, or extends, the report's, with its style and script."""
    environment = templates(HERE, LIVE)
    environment.filters["breakable"] = _breakable
    script = (HERE / "page.js").read_text(encoding="utf-8")
    renewing = (LIVE / "live.js").read_text(encoding="utf-8") if live else ""
    text = environment.get_template(template).render(
        name=name,
        live=live,
        style=Markup((HERE / "page.css").read_text(encoding="utf-8")),
        script=Markup(script),
        live_script=Markup(renewing),
        policy=policy(*filter(None, (script, renewing)), asks=live is not None),
        trials=Markup(as_json(trials or {})),
        **content,
    )
    return visible(text)


def _breakable(name: str) -> Markup:
    """Return a name as markup; a long one may be broken after a dot or an underscore."""
    return Markup("<wbr>").join(re.split(r"(?<=[._])", name) if len(name) > LONG else [name])


def policy(*scripts: str, asks: bool = False) -> str:
    """Return a page's content security policy: no address, no script but these.

    `asks`: whether they may ask the server that the page is from.
    """
    allowed = " ".join(map(source_of, scripts))
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; "
        f"img-src data:; {'connect-src ' + repr('self') + '; ' if asks else ''}"
        "base-uri 'none'; form-action 'none'"
    )
