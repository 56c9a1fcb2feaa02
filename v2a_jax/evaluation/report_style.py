"""The pages' frame, and the report's style and script: light and dark, wide and narrow, and useful
without script."""

import base64
import hashlib
import html
from collections.abc import Sequence

STYLE = """
:root { color-scheme: light dark; --ink: #1c1e26; --soft: #5d6373; --page: #fbfaf8; --card: #fff;
  --line: #e4e2dd; --accent: #b3367a; --reach: #e9e4ec; --interval: #d996bd; --event: #5ad1ff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8ee; --soft: #a0a5b5; --page: #131419;
  --card: #1c1e26; --line: #30333f; --accent: #ff8ac4; --reach: #31303d; --interval: #8d4a70; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
main { max-width: 68rem; margin: 0 auto; padding: 2.5rem 1.25rem 5rem; }
h1 { font-size: clamp(1.7rem, 4vw, 2.4rem); line-height: 1.15; letter-spacing: -.02em; margin: 0; }
h2 { font-size: 1.3rem; letter-spacing: -.01em; margin: 3.2rem 0 .3rem; }
h3 { font-size: 1.05rem; margin: 0; text-wrap: balance; }
p { margin: .3rem 0 1rem; max-width: 46rem; }
.soft, .meaning, small { color: var(--soft); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); gap: .8rem;
  margin: 1.8rem 0 0; padding: 0; list-style: none; }
.tiles li, .clip, .scores, .curve, .made { background: var(--card); border: 1px solid var(--line);
  border-radius: .75rem; }
.tiles li { padding: .9rem 1rem 1rem; }
.tiles b { display: block; font-size: 1.9rem; line-height: 1.25; letter-spacing: -.02em;
  font-variant-numeric: tabular-nums; }
.tiles small { display: block; }
.clip { margin: 1.2rem 0; padding: 1.1rem 1.2rem 1.2rem; display: grid; gap: .4rem 1.3rem;
  grid-template-columns: 11rem minmax(0, 1fr); align-items: start; }
.clip header { grid-column: 1 / -1; }
.screen { aspect-ratio: var(--ratio); width: 100%; border-radius: .5rem; background-color: #000;
  background-repeat: no-repeat; image-rendering: auto; }
.side { position: sticky; top: 1rem; }
.side small { display: block; margin-top: .5rem; }
.timed { position: relative; border-radius: .35rem; overflow: hidden; background: #000; }
.timed img { display: block; width: 100%; height: 100%; }
.strip { height: 4.3rem; }
.sound { height: 5.2rem; cursor: pointer; }
.timed i { position: absolute; top: 0; bottom: 0; width: 0; pointer-events: none; }
.timed .event { border-left: 1.5px solid var(--event); }
.timed .event.unseen { border-left-style: dashed; opacity: .8; }
.timed .now { border-left: 2px solid #fff; opacity: 0; }
.track { margin-top: .75rem; }
.track .what { display: flex; flex-wrap: wrap; gap: .1rem .8rem; align-items: center;
  justify-content: space-between; margin-bottom: .3rem; }
.track .what > div { flex: 1 1 13rem; line-height: 1.3; }
.track .what small { display: block; }
audio { height: 2.1rem; flex: 0 1 17rem; min-width: 12rem; max-width: 100%; }
.axis { display: flex; justify-content: space-between; font-size: .78rem; color: var(--soft);
  font-variant-numeric: tabular-nums; margin-top: .2rem; }
.scores { width: 100%; border-collapse: separate; border-spacing: 0; overflow: hidden; }
.scores th, .scores td { padding: .65rem 1rem; text-align: left; vertical-align: middle; }
.scores thead th { font-size: .8rem; font-weight: 500; color: var(--soft); }
.scores .of-model th, .scores .of-model td { border-top: 1px solid var(--line); }
.scores .of-variant th, .scores .of-variant td { padding-top: .1rem; font-size: .88rem; }
.scores tbody th { width: 36%; font-weight: 400; }
.metric { display: block; font-weight: 600; }
.meaning { display: block; font-size: .85rem; line-height: 1.4; }
.variant { color: var(--soft); padding-left: 1rem; }
.value, .n { font-variant-numeric: tabular-nums; white-space: nowrap; }
.value small { display: block; }
.of-model .value b { font-size: 1.12rem; }
.of-variant .value b { font-weight: 500; }
.bounds { width: 42%; }
.bar { position: relative; height: 1.1rem; }
.bar i { position: absolute; top: 50%; transform: translateY(-50%); }
.reach { height: .5rem; border-radius: .25rem; background: var(--reach); }
.interval { height: .5rem; border-radius: .25rem; background: var(--interval); min-width: 3px; }
.mark { width: 3px; margin-left: -1.5px; height: 1.1rem; border-radius: 2px;
  background: var(--accent); }
.of-variant .mark, .of-variant .interval { filter: grayscale(.75); opacity: .75; }
.ends { display: flex; justify-content: space-between; font-size: .75rem; color: var(--soft);
  font-variant-numeric: tabular-nums; line-height: 1.2; }
.curves { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: .8rem; }
.curve { margin: 0; padding: .8rem 1rem; }
.curve figcaption { display: flex; justify-content: space-between; margin-bottom: .4rem;
  font-size: .92rem; }
.curve svg { width: 100%; height: 6.5rem; display: block; margin-bottom: .3rem; }
.curve polyline { fill: none; stroke: var(--accent); stroke-width: 1.6;
  vector-effect: non-scaling-stroke; stroke-linejoin: round; }
.made { padding: .4rem 1.2rem; }
.made details, .made div { border-top: 1px solid var(--line); padding: .55rem 0; }
.made > :first-child { border-top: 0; }
.made summary, .made b { font-weight: 600; }
.made summary { cursor: pointer; }
.made b { display: inline-block; min-width: 9rem; }
.made div { overflow-wrap: anywhere; }
pre { margin: .5rem 0 0; overflow-x: auto; font: .82rem/1.5 ui-monospace, Menlo, Consolas,
  "DejaVu Sans Mono", monospace; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
@media (max-width: 44rem) {
  main { padding-top: 1.5rem; }
  .clip { grid-template-columns: minmax(0, 1fr); padding: 1rem; }
  .side { position: static; display: flex; gap: 1rem; align-items: center; }
  .side .screen { flex: 0 0 8rem; }
  .strip { height: 2.2rem; }
  .scores, .scores tbody { display: block; }
  .scores thead { position: absolute; width: 1px; height: 1px; overflow: hidden;
    clip-path: inset(50%); }
  .scores tr { display: grid; grid-template-columns: 1fr auto; padding: .7rem 1rem;
    gap: .3rem 1rem; border-top: 1px solid var(--line); }
  .scores tr.of-variant { border-top: 0; padding-top: 0; }
  .scores tbody th, .scores td { width: auto; padding: 0 !important; border: 0 !important; }
  .scores .value { text-align: right; }
  .bounds { grid-column: 1 / -1; }
  .n { display: none; }
}
"""

# While a sound plays, the picture shows its frame and a line runs over its spectrogram.
SCRIPT = """
for (const clip of document.querySelectorAll('.clip')) {
  const screen = clip.querySelector('.screen');
  const {columns, rows, frames, fps, seconds} = screen.dataset;
  const players = [...clip.querySelectorAll('audio')];
  const show = (player) => {
    const time = player.currentTime, k = Math.min(frames - 1, Math.floor(time * fps));
    const x = (k % columns) / (columns - 1);
    const y = Math.floor(k / columns) / Math.max(1, rows - 1);
    screen.style.backgroundPosition = `${100 * x}% ${100 * y}%`;
    const line = player.closest('.track').querySelector('.now');
    line.style.left = `${100 * time / seconds}%`;
    line.style.opacity = player.paused ? 0 : 1;
    if (!player.paused) requestAnimationFrame(() => show(player));
  };
  for (const player of players) {
    player.addEventListener('play', () => {
      for (const other of document.querySelectorAll('audio')) if (other !== player) other.pause();
      show(player);
    });
    player.addEventListener('seeked', () => show(player));
    player.closest('.track').querySelector('.sound').addEventListener('click', (event) => {
      const box = event.currentTarget.getBoundingClientRect();
      player.currentTime = seconds * (event.clientX - box.left) / box.width;
      player.play();
    });
  }
}
"""


def document(
    title: str, body: str, *, media: Sequence[str] = (), style: str = "", script: str = ""
) -> str:
    """A page that holds all it shows: of `media` (img-src, media-src) data URLs, one script."""
    sources = ["default-src 'none'", *(f"{kind} data:" for kind in media)]
    sources.append("style-src 'unsafe-inline'")
    if script:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        sources.append(f"script-src 'sha256-{digest}'")
        script = f"<script>{script}</script>"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{"; ".join(sources)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{STYLE}{style}</style></head>"
        f"<body><main>{body}</main>{script}</body></html>\n"
    )
