"""Runs the shards with Apache Beam: in this process, or on a cluster by Beam's own flags.

Workers read the plan and write shards as a process here does: they need the same folders.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from v2a_jax.errors import UserError


def run_beam(
    work: Callable[[int], int], shards: Iterable[int], *, flags: Sequence[str]
) -> Iterator[int]:
    """Numbers of the shards, when all are done; UserError without Beam, or for wrong flags."""
    try:
        import apache_beam
        from apache_beam.options.pipeline_options import PipelineOptions
    except ImportError as error:
        raise UserError(
            "--engine=beam needs Apache Beam: pip install 'v2a-jax[beam]', in an environment "
            "without requirements.lock"
        ) from error
    todo = list(shards)
    options = PipelineOptions(list(flags))
    unknown = [
        flag for flag in flags if flag in options.get_all_options(retain_unknown_options=True)
    ]
    if unknown:
        raise UserError(f"Beam knows no flag {unknown[0]}")
    with apache_beam.Pipeline(options=options) as pipeline:
        numbers = pipeline | "shards" >> apache_beam.Create(todo)
        apart = numbers | "apart" >> apache_beam.Reshuffle()
        _ = apart | "make" >> apache_beam.Map(work)
    yield from todo
