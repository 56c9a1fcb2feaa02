import copy
import os
import pickle
import stat
from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np
import pytest

from v2a_jax.errors import UserError
from v2a_jax.watermark import key as keys
from v2a_jax.watermark.key import PILOT, Key

SECRET = bytes(range(100, 132))


@pytest.fixture(autouse=True)
def no_key_in_environment(monkeypatch, tmp_path):
    monkeypatch.delenv(keys.FILE_VARIABLE, raising=False)
    monkeypatch.delenv(keys.KEY_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def _write(path, text, mode=0o600):
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def test_first_use_makes_a_private_file_and_later_uses_read_it(tmp_path):
    path = tmp_path / "config" / "v2a" / "watermark.key"
    with pytest.raises(UserError):
        keys.load()
    made = keys.load_or_create()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert keys.load().key_id == keys.load_or_create().key_id == made.key_id
    assert os.listdir(path.parent) == ["watermark.key"]


def test_all_who_create_at_once_get_one_key(tmp_path):
    path = str(tmp_path / "shared.key")
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: keys.load_or_create(path).key_id, range(64)))
    assert len(set(found)) == 1


def test_fresh_keys_differ(tmp_path):
    ids = {keys.load_or_create(str(tmp_path / f"{i}.key")).key_id for i in range(8)}
    assert len(ids) == 8


def test_order_of_the_places_a_key_is_looked_for(tmp_path, monkeypatch):
    places = {name: Key(bytes([i] * 32)) for i, name in enumerate("abcd")}
    digits = {name: bytes([i] * 32).hex() for i, name in enumerate("abcd")}
    default = tmp_path / "config" / "v2a" / "watermark.key"
    default.parent.mkdir(parents=True)
    _write(default, digits["d"])
    assert keys.load().key_id == places["d"].key_id
    monkeypatch.setenv(keys.KEY_VARIABLE, digits["c"])
    assert keys.load().key_id == keys.load_or_create().key_id == places["c"].key_id
    monkeypatch.setenv(keys.FILE_VARIABLE, _write(tmp_path / "b.key", digits["b"]))
    assert keys.load().key_id == keys.load_or_create().key_id == places["b"].key_id
    assert keys.load(_write(tmp_path / "a.key", digits["a"])).key_id == places["a"].key_id


def test_the_secret_is_never_shown(tmp_path):
    key = Key(SECRET)
    shown = [repr(key), str(key), f"{key}", repr(key.pattern()), key.key_id, repr([key])]
    for attempt in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError) as refused:
            attempt(key)
        shown.append(str(refused.value))
    for text in shown:
        assert SECRET.hex()[:8] not in text
        assert repr(SECRET) not in text


@pytest.mark.parametrize(
    "text",
    ["", SECRET.hex()[:-2], SECRET.hex() + "00", "secret words " * 4, "é" * 64, "z" * 64],
)
def test_a_bad_key_is_named_but_not_shown(tmp_path, text):
    path = _write(tmp_path / "bad.key", text)
    with pytest.raises(UserError, match="bad.key") as refused:
        keys.load(path)
    assert not text or text[:8] not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


def test_a_key_that_others_can_read_is_refused(tmp_path):
    path = _write(tmp_path / "open.key", SECRET.hex(), mode=0o644)
    with pytest.raises(UserError, match="chmod 600"):
        keys.load(path)


def test_a_path_that_cannot_hold_a_key_is_one_clear_error(tmp_path):
    with pytest.raises(UserError, match="directory"):
        keys.load(str(tmp_path))
    _write(tmp_path / "file", "")
    with pytest.raises(UserError, match="cannot be made"):
        keys.load_or_create(str(tmp_path / "file" / "x.key"))


def test_pattern_is_fixed_by_the_key_and_balanced():
    one, same, other = Key(SECRET).pattern(), Key(SECRET).pattern(), Key(bytes(32)).pattern()
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(same), strict=True):
        np.testing.assert_array_equal(a, b)
    agreement = np.mean(one.signs == other.signs)
    assert abs(agreement - 0.5) < 5 * 0.5 / np.sqrt(one.signs.size)
    assert set(np.unique(one.signs)) == {-1, 1}
    assert np.mean(one.slots == PILOT) == pytest.approx(0.5, abs=1e-3)
    for block in np.split(one.slots, 16):
        counts = np.bincount(block.ravel(), minlength=PILOT + 1)[:PILOT]
        assert counts.max() - counts.min() <= 1


def test_key_id_says_nothing_of_neighbouring_keys():
    ids = {Key(bytes([i] + [0] * 31)).key_id for i in range(64)}
    assert len({i[:4] for i in ids}) > 56
