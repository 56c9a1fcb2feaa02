import json
import shutil

import jax
import numpy as np
import pytest
from tiny_system import SIZE, tiny_config, tiny_tokenizer

from v2a_jax.errors import UserError
from v2a_jax.sampling import bundle as bundles
from v2a_jax.sampling.bundle import folder_digest, load_bundle, save_bundle
from v2a_jax.training.checkpoint import flatten


@pytest.fixture
def copy(bundle_folder, tmp_path):
    """A copy of the bundle, to be damaged."""
    return shutil.copytree(bundle_folder, tmp_path / "copy")


def save(folder, weights, **changes):
    given = dict(
        config=tiny_config().to_dict(),
        weights=jax.device_get(weights),
        tokenizer=tiny_tokenizer(),
        provenance={"data": "none"},
        card="# Tiny",
    )
    save_bundle(folder, **given | changes)


def test_what_was_saved_is_loaded(bundle_folder, weights):
    loaded = load_bundle(bundle_folder)
    for name, leaf in flatten(weights).items():
        np.testing.assert_array_equal(flatten(loaded.weights)[name], leaf, err_msg=name)
    assert loaded.config == json.loads(json.dumps(tiny_config().to_dict()))
    assert loaded.tokenizer.model == tiny_tokenizer().model
    assert loaded.provenance == {"data": "none"}
    assert loaded.digest == folder_digest(bundle_folder) == load_bundle(str(bundle_folder)).digest


def test_the_digest_is_that_of_every_file(copy):
    before = folder_digest(copy)
    (copy / "MODEL_CARD.md").write_text("# Other")
    changed = folder_digest(copy)
    (copy / "MODEL_CARD.md").rename(copy / "CARD.md")
    assert len({before, changed, folder_digest(copy)}) == 3


def test_no_file_tells_where_it_was_made(bundle_folder):
    place = str(bundle_folder.parent).encode()
    files = [path for path in bundle_folder.rglob("*") if path.is_file()]
    assert files and not [path for path in files if place in path.read_bytes()]


def weight_files(folder):
    return [p for p in (folder / "weights").rglob("*") if p.is_file() and p.stat().st_size > 1000]


DAMAGE = {
    "no config": lambda b: (b / "bundle.json").unlink(),
    "config is not JSON": lambda b: (b / "bundle.json").write_text("{"),
    "config is not text": lambda b: (b / "bundle.json").write_bytes(b"\xff\xfe\x00"),
    "config is a list": lambda b: (b / "bundle.json").write_text("[]"),
    "config is empty": lambda b: (b / "bundle.json").write_text(
        '{"format": 2, "dtype": "float32"}'
    ),
    "config lacks a section": lambda b: rewrite(b, lambda c: c["config"]["model"].pop("dit")),
    "config has another field": lambda b: rewrite(b, lambda c: c["config"]["path"].update(x=1)),
    "other format": lambda b: rewrite(b, lambda c: c.update(format=1)),
    "other dtype": lambda b: rewrite(b, lambda c: c.update(dtype="bfloat16")),
    "no dtype": lambda b: rewrite(b, lambda c: c.pop("dtype")),
    "no such dtype": lambda b: rewrite(b, lambda c: c.update(dtype="int8")),
    "statistics are no such": lambda b: (b / "clean.npz").write_bytes(b"PK"),
    "other width": lambda b: rewrite(b, lambda c: c["config"]["model"]["dit"].update(width=64)),
    "no provenance": lambda b: (b / "provenance.json").unlink(),
    "no tokenizer": lambda b: (b / "tokenizer.model").unlink(),
    "tokenizer cut": lambda b: cut(b / "tokenizer.model"),
    "no weights": lambda b: shutil.rmtree(b / "weights"),
    "weights cut": lambda b: [cut(p) for p in weight_files(b)],
    "weights lost": lambda b: [p.unlink() for p in weight_files(b)],
}


def rewrite(folder, change):
    content = json.loads((folder / "bundle.json").read_text())
    change(content)
    (folder / "bundle.json").write_text(json.dumps(content))


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_told_in_one_line(copy, damage):
    DAMAGE[damage](copy)
    with pytest.raises(UserError, match=".") as refused:
        load_bundle(copy)
    assert (
        str(copy) in str(refused.value)
        or "config" in str(refused.value)
        or "token" in str(refused.value)
    )


@pytest.mark.slow
def test_weights_in_half_the_space_make_nearly_the_same_sound(generator, weights, tmp_path):
    save(tmp_path / "half", weights, dtype="bfloat16")
    half = generator.with_weights(load_bundle(tmp_path / "half").weights)
    for seed in range(4):
        video = np.random.default_rng(seed).integers(0, 256, (32, SIZE, SIZE, 3), dtype=np.uint8)
        exact, made = (each.generate(video, seed=seed) for each in (generator, half))
        error = np.sqrt(np.mean((made - exact) ** 2) / np.mean(exact**2))
        assert 0 < error < 10 ** (-24 / 20)


@pytest.mark.parametrize("name", ["nothing", "file", "empty"])
def test_what_is_no_bundle_is_refused(tmp_path, name):
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="not a bundle"):
        load_bundle(tmp_path / name)


def test_a_bundle_is_replaced_whole(copy, weights):
    before = folder_digest(copy)
    save(copy, weights, provenance={"data": "other"})
    assert folder_digest(copy) != before
    assert load_bundle(copy).provenance == {"data": "other"}
    assert sorted(p.name for p in copy.parent.iterdir()) == ["copy"]


def test_a_failure_while_saving_leaves_the_old_bundle(copy, weights, monkeypatch):
    before = folder_digest(copy)

    def fail(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(bundles.json, "dumps", fail)
    with pytest.raises(OSError, match="disk full"):
        save(copy, weights)
    assert folder_digest(copy) == before
    assert sorted(p.name for p in copy.parent.iterdir()) == ["copy"]


def test_what_is_no_bundle_is_not_replaced(tmp_path, weights):
    (tmp_path / "thesis.txt").write_text("years of work")
    for place in (tmp_path, tmp_path / "thesis.txt"):
        with pytest.raises(UserError, match="not a bundle"):
            save(place, weights)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
