"""Bundles that are damaged, or none."""

from tests.inputs.case import case, cut, loop, pipe, removed, written

DESCRIPTION, WEIGHTS = "bundle/bundle.json", "bundle/weights.safetensors"
DAMAGES = (
    (removed(DESCRIPTION), "is not a bundle"),
    (written(DESCRIPTION, ""), "bundle.json is damaged"),
    (written(DESCRIPTION, "[]"), "bundle.json is damaged"),
    (written(DESCRIPTION, "{}"), "bundle.json is damaged"),
    (written(DESCRIPTION, "NaN"), "bundle.json is damaged"),
    (written(DESCRIPTION, '{"format": 2}'), "format 2"),
    (written(DESCRIPTION, b"\xff"), "bundle.json is damaged"),
    (written(DESCRIPTION, "[" * 100_000), "bundle.json is damaged"),
    (written(DESCRIPTION, '{"format": ' + "9" * 6000 + "}"), "bundle.json is damaged"),
    (written(DESCRIPTION), "is not a bundle"),
    (pipe(DESCRIPTION), "is not a bundle"),
    (loop(DESCRIPTION), "is not a bundle"),
    (removed(WEIGHTS), "has no weights.safetensors"),
    (written(WEIGHTS, ""), "weights.safetensors is damaged"),
    (cut(WEIGHTS, 300), "weights.safetensors is damaged"),
    (written(WEIGHTS), "has no weights.safetensors"),
    (pipe(WEIGHTS), "has no weights.safetensors"),
    (loop(WEIGHTS), "has no weights.safetensors"),
)
CASES = [
    *(
        case("predict bundle=bundle images=digit.png", says, "bundle digit.png", spoil)
        for spoil, says in DAMAGES
    ),
    case("predict bundle=run images=digit.png", "bundle=run is not a bundle", "run digit.png"),
    case("predict bundle=digit.png images=digit.png", "is not a bundle", "digit.png"),
    case("predict bundle=/dev/null images=digit.png", "is not a bundle", "digit.png"),
]
