"""A run's folder keeps what was read before, and refuses what would make it another run."""

import json

import pytest

from v2a_jax.errors import UserError
from v2a_jax.training.workdir import CONFIG, bind_config, read_config, started


def config(records, width=8, **others):
    return {"provenance": {"records": records}, "model": {"width": width}, **others}


def save(workdir, step):
    (workdir / "checkpoints" / str(step)).mkdir(parents=True)


def test_what_was_read_before_is_kept_with_the_step_it_was_read_to(tmp_path):
    bind_config(tmp_path, config(10), started(tmp_path))
    bind_config(tmp_path, config(11), started(tmp_path))  # nothing was trained yet
    assert "read_before" not in read_config(tmp_path)
    save(tmp_path, 5)
    bind_config(tmp_path, config(11), started(tmp_path))
    assert read_config(tmp_path)["read_before"] == []
    bind_config(tmp_path, config(9), started(tmp_path))
    save(tmp_path, 20)
    bind_config(tmp_path, config(9), started(tmp_path))
    bind_config(tmp_path, config(8), started(tmp_path))
    told = read_config(tmp_path)
    assert told["provenance"] == {"records": 8}
    first, second = told["read_before"]
    assert first == {"until_step": 5, "records": 11}
    assert second == {"until_step": 20, "records": 9}


def test_the_model_may_not_change_and_the_examination_may(tmp_path):
    save(tmp_path, 5)
    bind_config(tmp_path, config(1), False)
    bind_config(tmp_path, config(1, evaluation={"protocol": {"clips": 3}}), True)
    before = (tmp_path / CONFIG).read_bytes()
    with pytest.raises(UserError, match="model.width 8 -> 16"):
        bind_config(tmp_path, config(1, width=16), True)
    assert (tmp_path / CONFIG).read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", json.dumps({}).encode()[:1]])
def test_a_damaged_config_is_named(tmp_path, content):
    (tmp_path / CONFIG).write_bytes(content)
    with pytest.raises(UserError, match="config.json is damaged"):
        read_config(tmp_path)
