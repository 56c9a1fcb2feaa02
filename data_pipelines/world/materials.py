"""What things are made of: how they ring and how they look.

Damping is d(f) = d0 + pi f eta (eta, the loss factor, is the cue to material that does not depend
on shape: Wildes & Richards 1988; values lowered for a clearer ring). The lowest mode of a thing of
relative size s lies at f1 = fundamental / s, as for any body scaled in all directions.
"""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True, kw_only=True)
class Material:
    """A material, in a thing of size 1.

    eta, d0        loss factor; damping without frequency, 1/s
    contact        width of a contact at unit speed, s
    fundamental    lowest mode, Hz
    ratios, amps   of the modes
    click          level of the contact's noise
    level          radiated amplitude: clips lie in -35..-15 dBFS; the briefest sounds, held by
                   the ceiling, somewhat below
    adjective      how captions call a thing made of it
    timbre         how captions call its sound
    colour         RGB 0..255
    accent         RGB of its grain, rim, blotches or highlight
    """

    eta: float
    d0: float
    contact: float
    fundamental: float
    ratios: tuple[float, ...]
    amps: tuple[float, ...]
    click: float
    level: float
    adjective: str
    timbre: str
    colour: tuple[int, int, int]
    accent: tuple[int, int, int]

    def modes(self, size: float, jitter: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Frequency (Hz), decay (1/s) and amplitude of each mode; `jitter[M]` scales frequency."""
        ratios = np.asarray(self.ratios)
        frequency = self.fundamental / size * ratios * jitter[: len(ratios)]
        return frequency, self.d0 + np.pi * frequency * self.eta, self.level * np.asarray(self.amps)


MATERIALS = {
    "wood": Material(
        eta=0.022,
        d0=12,
        contact=1.2e-3,
        fundamental=420,
        ratios=(1, 2.777, 5.18, 7.378, 11.2),
        amps=(1, 0.45, 0.25, 0.2, 0.1),
        click=0.25,
        level=1.0,
        adjective="wooden",
        timbre="woody knock",
        colour=(150, 96, 48),
        accent=(84, 48, 20),
    ),
    "metal": Material(
        eta=0.0006,
        d0=1,
        contact=0.35e-3,
        fundamental=900,
        ratios=(1, 2.756, 5.404, 8.933, 13.34, 18.6),
        amps=(1, 0.7, 0.6, 0.45, 0.3, 0.2),
        click=0.08,
        level=0.25,
        adjective="metal",
        timbre="long metallic ring",
        colour=(150, 154, 162),
        accent=(250, 252, 255),
    ),
    "glass": Material(
        eta=0.0025,
        d0=4,
        contact=0.3e-3,
        fundamental=1900,
        ratios=(1, 2.32, 4.25, 6.63, 9.38),
        amps=(1, 0.6, 0.35, 0.2, 0.1),
        click=0.05,
        level=0.7,
        adjective="glass",
        timbre="bright glassy ting",
        colour=(96, 222, 232),
        accent=(236, 255, 255),
    ),
    "ceramic": Material(
        eta=0.008,
        d0=10,
        contact=0.45e-3,
        fundamental=1250,
        ratios=(1, 1.59, 2.14, 2.65, 3.5, 4.9),
        amps=(1, 0.5, 0.5, 0.35, 0.3, 0.2),
        click=0.12,
        level=0.7,
        adjective="ceramic",
        timbre="short clink",
        colour=(244, 240, 230),
        accent=(40, 70, 190),
    ),
    "plastic": Material(
        eta=0.05,
        d0=25,
        contact=1.0e-3,
        fundamental=620,
        ratios=(1, 1.777, 2.378, 3.377),
        amps=(1, 0.6, 0.5, 0.3),
        click=0.3,
        level=0.85,
        adjective="plastic",
        timbre="dry plastic tap",
        colour=(120, 214, 40),
        accent=(232, 255, 200),
    ),
    "stone": Material(
        eta=0.03,
        d0=60,
        contact=0.4e-3,
        fundamental=1500,
        ratios=(1, 1.5, 2.1, 3.0, 4.2),
        amps=(1, 0.8, 0.6, 0.5, 0.4),
        click=0.8,
        level=0.75,
        adjective="stone",
        timbre="hard stony clack",
        colour=(74, 70, 68),
        accent=(132, 124, 116),
    ),
    "rubber": Material(
        eta=0.20,
        d0=30,
        contact=5e-3,
        fundamental=130,
        ratios=(1, 1.9, 2.8),
        amps=(1, 0.4, 0.15),
        click=0.05,
        level=1.25,
        adjective="rubber",
        timbre="dull rubbery thud",
        colour=(36, 70, 200),
        accent=(24, 44, 130),
    ),
    "drum": Material(
        eta=0.018,
        d0=9,
        contact=2e-3,
        fundamental=150,
        ratios=(1, 1.594, 2.136, 2.296, 2.653, 2.918),
        amps=(1, 0.5, 0.35, 0.3, 0.2, 0.15),
        click=0.15,
        level=0.5,
        adjective="skin",
        timbre="drum beat",
        colour=(232, 204, 158),
        accent=(196, 60, 150),
    ),
}
