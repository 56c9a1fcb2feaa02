"""Speech that nobody asked for: of scenes where nobody speaks, and of a face that stands still."""

from v2a_jax.evaluation.hearing import Hearing, add_rate
from v2a_jax.evaluation.scores import Sampling, Sheet

SPEECH = "speech"


def add_unasked(sheet: Sheet, hearing: Hearing, sampling: Sampling) -> None:
    """`false_speech`: share of the clips without speech in which it is heard; `still_speech`: of
    faces whose first frame is all that is seen, without words.

    Lower bounds: as often as in all true sound, and as of the same faces as they move and speak.
    """
    quiet = [(i, SPEECH) for i in hearing.lacking(SPEECH)]
    if SPEECH not in hearing.names or not quiet:
        sheet.skip("false_speech", "the tagger does not know speech, or all clips have it")
        return
    every = [(i, SPEECH) for i in range(len(hearing.clips))]
    best = {"upper_bound": hearing.false_alarms(quiet), "sampling": sampling}
    heard, usual = hearing.hits("prompted", quiet), hearing.rate("round_trip", every)
    add_rate(sheet, "false_speech", hearing, quiet, heard, lower_bound=usual, **best)
    still = [(i, SPEECH) for i in hearing.heard["still"]]
    if not still:
        sheet.skip("still_speech", "no clip has a face whose voice alone is heard")
        return
    heard, moving = hearing.hits("still", still), hearing.rate("prompted", still)
    add_rate(sheet, "still_speech", hearing, still, heard, lower_bound=moving, **best)
