"""index.html: a report's sections as one page that needs nothing beside it."""

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from matplotlib.figure import Figure

from mnist_sweep.report.charts import svg
from mnist_sweep.report.content import Section

DOTS = 110  # an inch, of pictures that are no drawings


def page(name: str, sections: Sequence[Section], figures: Mapping[str, Figure]) -> str:
    """Return a report as a page; charts are SVG, pictures of a network PNG, both within it."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    drawn = {key: _picture(figure, key) for key, figure in figures.items()}
    template = environment.get_template("page.html.j2")
    return template.render(name=name, sections=sections, drawn=drawn)


def _picture(figure: Figure, name: str) -> Markup:
    if any(axes.images for axes in figure.axes):
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=DOTS)
        encoded = base64.b64encode(buffer.getvalue()).decode()
        return Markup('<img alt="" src="data:image/png;base64,{}">').format(encoded)
    return Markup(svg(figure, name))
