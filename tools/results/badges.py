"""Badges that need no server: what pyproject.toml says of Python and the licence, as pictures."""

import re

HEIGHT, LETTER, AROUND = 20, 6.6, 6  # pixels; a letter's mean width at 11 pixels
LEFT, RIGHT = "#4b535d", "#0072b2"


def badges(project: str) -> dict[str, str]:
    """Return each badge as SVG, by name, from the text of pyproject.toml."""
    known = dict(re.findall(r'^(requires-python|license) = "(.+)"$', project, re.MULTILINE))
    python = known["requires-python"].removeprefix(">=")
    return {
        "python": badge("Python", f"{python} or newer"),
        "licence": badge("licence", known["license"]),
    }


def badge(name: str, value: str) -> str:
    """Return a picture of a name and its value, side by side."""
    left, right = (round(len(text) * LETTER) + 2 * AROUND for text in (name, value))
    width = left + right
    text = 'font-family="sans-serif" font-size="11" fill="#fff" text-anchor="middle"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{HEIGHT}" role="img" '
        f'aria-label="{name}: {value}">\n'
        f'<clipPath id="round"><rect width="{width}" height="{HEIGHT}" rx="3"/></clipPath>\n'
        f'<g clip-path="url(#round)"><rect width="{left}" height="{HEIGHT}" fill="{LEFT}"/>'
        f'<rect x="{left}" width="{right}" height="{HEIGHT}" fill="{RIGHT}"/></g>\n'
        f'<g {text}><text x="{left / 2}" y="14">{name}</text>'
        f'<text x="{left + right / 2}" y="14">{value}</text></g>\n'
        "</svg>\n"
    )
