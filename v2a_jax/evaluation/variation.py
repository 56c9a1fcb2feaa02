"""Do several sounds for one clip differ, and does each keep time?

`variation_distance` lies between two equal sounds and the sound made for another clip of the same
class; `variation_onset_f1_50ms` between another clip's sound and the round trip of the true one.
"""

import numpy as np

from v2a_jax.evaluation.bootstrap import estimate, ratio
from v2a_jax.evaluation.clips import is_timed
from v2a_jax.evaluation.codec import log_mel_distance
from v2a_jax.evaluation.examination import Rows, one_figure, pick, shuffled
from v2a_jax.evaluation.scores import Sampling, Sheet, clip_score
from v2a_jax.evaluation.soundtracks import Soundtracks
from v2a_jax.evaluation.spectral import mono
from v2a_jax.evaluation.sync import ON_TIME, onsets


def add_variations(sheet: Sheet, tracks: Soundtracks, sampling: Sampling) -> None:
    """Both figures, of the clips that were given a second sound."""
    positions = list(tracks.again)
    if len(positions) < 2:
        sheet.skip("variation_distance", "needs two clips with two sounds each")
        return

    def distances(others: list[int]) -> Rows:
        pairs = zip(pick(tracks.prompted, others), pick(tracks.again, positions), strict=True)
        return np.array(
            [(log_mel_distance(mono(a), mono(b), tracks.sample_rate), 1.0) for a, b in pairs]
        )

    score = clip_score(
        distances(positions),
        lower_bound=0.0,
        upper_bound=estimate(distances(shuffled(positions, tracks)), ratio),
        unit="dB",
        sampling=sampling,
    )
    sheet.add("variation_distance", score)
    _add_timing(sheet, tracks, sampling)


def _add_timing(sheet: Sheet, tracks: Soundtracks, sampling: Sampling) -> None:
    seen = [i for i in tracks.again if is_timed(tracks.clips[i])]
    if len(seen) < 2:
        sheet.skip(f"variation_{ON_TIME}", "needs two such clips with on-screen events")
        return
    score = one_figure(onsets(), ON_TIME, tracks, tracks.again, seen, seen, sampling)
    sheet.add(f"variation_{ON_TIME}", score)
