"""Which seconds are marked, once the pattern is known: change points in a log-likelihood ratio.

A cell whose signs agree with the pattern by s = Σ w·y, out of v = Σ y², speaks for the mark with
l = a·s - a²·v/2, where a is EXPECTED of Σs/Σv in the window that found it. A path through the
states marked and not marked takes l in each marked cell and pays CHANGE for each change; the best
one is found by dynamic programming (Viterbi).
"""

import numpy as np

CHANGE = 6.0  # nats
EXPECTED = 0.7  # the mark is fainter in places, which are not to look unmarked


def marked_runs(agreement_T: np.ndarray, energy_T: np.ndarray, found: float) -> list[list[int]]:
    """First and last (exclusive) cell of each marked run, from s, v and Σs/Σv as above."""
    amount = EXPECTED * found
    ratio_T = amount * agreement_T - amount**2 / 2 * energy_T
    stay_T = np.zeros((len(ratio_T), 2), bool)
    plain, marked = 0.0, 0.0  # the wave may begin in either state
    for t, ratio in enumerate(ratio_T):
        stay_T[t] = plain >= marked - CHANGE, marked >= plain - CHANGE
        plain, marked = max(plain, marked - CHANGE), max(marked, plain - CHANGE) + ratio
    state, runs = marked > plain, []
    for t in range(len(ratio_T) - 1, -1, -1):
        if state and runs and runs[-1][0] == t + 1:
            runs[-1][0] = t
        elif state:
            runs.append([t, t + 1])
        state = bool(state) == bool(stay_T[t, int(state)])
    return runs[::-1]
