"""A bundle exported anew, for a bundle serves as the folder of a run: what it holds and says."""

import json

import jax
import numpy as np
import pytest
from tiny_system import SIZE, tiny_config, tiny_tokenizer

from v2a_jax.models.functional import flatten
from v2a_jax.sampling.bundle import load_bundle, save_bundle

TABLE = "| figure | value |\n|---|---|\n| onsets | 0.73 |\n"


@pytest.fixture
def export(v2a, weights, tmp_path):
    """export(*flags, **changes of config.data) -> exit status and lines of stderr; and the bundle.

    Weights are those of the tiny system, from a bundle that says how it was trained.
    """

    def run(*more, **data):
        config = tiny_config()
        config.data.update(data)
        stage = json.loads(config.to_json_best_effort())
        save_bundle(
            tmp_path / "run",
            config=stage,
            weights=jax.device_get(weights),
            tokenizer=tiny_tokenizer(),
            provenance={"stages": dict.fromkeys(("codec", "perception", "diffusion"), stage)},
            card="# Tiny",
        )
        return v2a("export", f"--workdir={tmp_path / 'run'}", f"--out={run.out}", *more)

    run.out = tmp_path / "bundle"
    return run


@pytest.fixture
def exported(v2a, export, tmp_path):
    """A bundle in half the space, with statistics of its clips and scores, and its card."""
    (tmp_path / "scores.md").write_text(TABLE)
    world = dict(tiny_config().data.world) | {"clips": 120}
    assert export("--dtype=bfloat16", f"--scores={tmp_path}", world=world) == (0, [])
    assert v2a.output == [f"bundle: {export.out}"]
    return load_bundle(export.out), (export.out / "MODEL_CARD.md").read_text()


@pytest.mark.slow
def test_half_the_space_clean_clips_and_scores(exported, weights, export, tmp_path):
    bundle, card = exported
    loaded, before = flatten(bundle.weights), flatten(weights)
    assert loaded.keys() == before.keys()
    for name, leaf in loaded.items():
        assert leaf.dtype == np.float32
        np.testing.assert_allclose(leaf, before[name], rtol=2**-8, atol=0, err_msg=name)
        np.testing.assert_array_equal(leaf, leaf.astype(jax.numpy.bfloat16).astype("f"))
    sizes = [
        sum(path.stat().st_size for path in (folder / "weights").rglob("d/*"))
        for folder in (tmp_path / "run", export.out)
    ]
    assert sizes[1] < 0.65 * sizes[0]
    assert "Weights are stored as bfloat16." in card

    clean = bundle.clean
    assert clean.frames == 16 and len(clean.distances) == 120 and clean.warn_below == 0.02
    noise = np.random.default_rng(0).integers(0, 256, (16, SIZE, SIZE, 3), dtype=np.uint8)
    assert clean.quality(noise) == 0
    assert "more than all but 2% of 120 clips" in card

    assert card.endswith(f"exporter's word.\n\n{TABLE}")


@pytest.mark.slow
@pytest.mark.parametrize(
    "data, reason",
    [({}, "8 clips are too few"), (dict(train="/nonexistent"), "no folder of records")],
    ids=str,
)
def test_without_its_data_a_bundle_says_that_it_cannot_tell(v2a, export, data, reason):
    assert export(**data) == (0, [])
    assert "no estimate" in v2a.output[0] and reason in v2a.output[0]
    card = (export.out / "MODEL_CARD.md").read_text()
    assert load_bundle(export.out).clean is None
    assert "cannot tell whether a video looks" in card and "## Scores" not in card


@pytest.mark.slow
def test_where_things_lay_is_told_to_nobody(export, tmp_path):
    private = str(tmp_path / "clients" / "film")
    assert export(train=private, validation=private, ledger=private) == (0, [])
    assert load_bundle(export.out).config["data"]["validation"] == "film"
    for name in ("bundle.json", "provenance.json", "MODEL_CARD.md"):
        assert "clients" not in (export.out / name).read_text(), name


@pytest.mark.slow
def test_a_bundle_exported_anew_without_its_data_knows_what_it_knew(
    v2a, exported, export, tmp_path
):
    path = export.out / "provenance.json"
    told = json.loads(path.read_text())
    told["stages"]["perception"]["data"]["train"] = "gone"
    path.write_text(json.dumps(told))
    assert v2a("export", f"--workdir={export.out}", f"--out={tmp_path / 'anew'}") == (0, [])
    before, after = exported[0].clean, load_bundle(tmp_path / "anew").clean
    np.testing.assert_array_equal(after.distances, before.distances)


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe\x00"], ids=str)
def test_scores_that_cannot_be_read_are_told_and_nothing_is_written(export, tmp_path, content):
    if content is not None:
        (tmp_path / "scores.md").write_bytes(content)
    status, lines = export(f"--scores={tmp_path}")
    assert status == 2 and len(lines) == 1 and f"--scores={tmp_path}" in lines[0]
    assert not export.out.exists()


def test_bad_flags_end_with_one_line(export, v2a, bundle_folder):
    status, lines = export("--dtype=float16")
    assert status == 2 and len(lines) == 1 and "dtype" in lines[0]
    status, lines = v2a("export", f"--workdir={bundle_folder}", f"--out={export.out}")
    assert status == 2 and len(lines) == 1 and "with which config" in lines[0]
    assert not export.out.exists()
