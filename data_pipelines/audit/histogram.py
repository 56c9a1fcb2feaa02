"""A measure over all clips as a small chart of bars: inline SVG that follows the page's colours."""

import html
from collections.abc import Mapping
from typing import Any

from v2a_jax.evaluation.charts import HEIGHT, WIDTH, figure

LEAST = 2.0  # height of a bar of one clip among thousands, which must be seen


def histogram(
    title: str, distribution: Mapping[str, Any], threshold: float | None, *, up_to: bool
) -> str:
    """Bars of a distribution's histogram; those at the threshold or beyond it stand out."""
    edges, counts = (distribution["histogram"][name] for name in ("edges", "counts"))
    width, top = WIDTH / len(counts), max(counts)
    bars = []
    for k, count in enumerate(counts):
        if count:
            high = max(LEAST, HEIGHT * count / top)
            kind = ' class="faulty"' if _beyond(edges[k], edges[k + 1], threshold, up_to) else ""
            where = f'x="{k * width:.1f}" y="{HEIGHT - high:.1f}"'
            bars.append(f'<rect{kind} {where} width="{width - 1:.1f}" height="{high:.1f}"/>')
    middle = distribution["quantiles"][3]
    label = f"{title}: {distribution['count']} clips, median {figure(middle)}"
    return (
        f'<figure class="curve"><figcaption>{html.escape(title)} <b>{figure(middle)}</b>'
        f'</figcaption><svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{html.escape(label)}">{"".join(bars)}</svg>'
        f'<div class="ends"><span>{figure(edges[0])}</span><span>{figure(edges[-1])}</span></div>'
        "</figure>"
    )


def _beyond(low: float, high: float, threshold: float | None, up_to: bool) -> bool:
    """Whether all of a bar is."""
    if threshold is None:
        return False
    return high <= threshold if up_to else low >= threshold or high <= -threshold
