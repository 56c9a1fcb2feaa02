"""What other sounds for the same clips keep of the prompted ones' timing.

Damage of a different kind for each clip, in turn; or whatever else should change nothing.
"""

from collections.abc import Mapping

import numpy as np

from v2a_jax.evaluation.clips import is_timed
from v2a_jax.evaluation.examination import kept_figure
from v2a_jax.evaluation.scores import Sampling, Sheet
from v2a_jax.evaluation.soundtracks import Soundtracks
from v2a_jax.evaluation.sync import ON_TIME, onsets


def add_kept(
    sheet: Sheet,
    name: str,
    tracks: Soundtracks,
    sounds: Mapping[int, np.ndarray],
    sampling: Sampling,
) -> None:
    """The share of the prompted sounds' onset F1 that others keep, where all onsets are seen."""
    positions = [i for i in sounds if is_timed(tracks.clips[i])]
    if len(positions) < 2:
        sheet.skip(name, "needs two such clips with on-screen events and no off-screen sound")
        return
    score = kept_figure(onsets(), ON_TIME, tracks, sounds, positions, sampling)
    if score.lower_bound < score.upper_bound:
        sheet.add(name, score)
    else:
        sheet.skip(name, "the prompted sounds keep time no better than those of other clips")
