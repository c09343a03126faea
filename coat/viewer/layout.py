"""Where the nodes of a picture lie: the viewer's own layout, d3-hierarchy's tidy tree, run without a browser."""

import json
from collections.abc import Sequence
from pathlib import Path

SCRIPT = Path(__file__).parent / "static" / "tidy.js"
"""Built from `web/src/tidy.ts`."""


def tidy(parents: Sequence[int | None]) -> list[tuple[float, int]]:
    """For each node its place among those of its level, from 0 and in units of one node, and its level.

    `parents` are places in the same sequence, each before its child; the first is the root. Reingold and Tilford's
    (Tidier Drawings of Trees, IEEE TSE 7:2, 1981), in linear time by Buchheim, Jünger and Leipert (GD 2002).

    >>> tidy([None, 0, 0, 1, 1])
    [(1.0, 0), (0.5, 1), (1.5, 1), (0.0, 2), (1.0, 2)]
    """
    import quickjs

    context = quickjs.Context()
    context.eval(SCRIPT.read_text(encoding="ascii"))
    places = json.loads(context.eval(f"JSON.stringify(layout.tidy({json.dumps(list(parents))}))"))
    least = min(across for across, _ in places)
    return [(float(across - least), level) for across, level in places]
