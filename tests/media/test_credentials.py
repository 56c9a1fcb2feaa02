import json

import pytest

from v2a_jax.errors import UserError
from v2a_jax.media import credentials
from v2a_jax.media.credentials import load_credentials, sign
from v2a_jax.media.decode import read_clip

c2pa = pytest.importorskip("c2pa")
pytest.importorskip("cryptography")

from certificates import KEYS, pem, write_chain  # noqa: E402


@pytest.fixture
def chain(tmp_path):
    """chain(algorithm) -> paths of certificates up to an authority, and of a key."""
    return lambda algorithm="ES256": write_chain(tmp_path, algorithm)


def statement(path):
    with c2pa.Reader(path.suffix[1:], open(path, "rb")) as reader:
        return json.loads(reader.json())


@pytest.mark.parametrize("algorithm", KEYS)
def test_the_statement_is_read_back_and_its_signature_holds(chain, make, tmp_path, algorithm):
    source, out = make("a.mp4"), tmp_path / "signed.mp4"
    given = load_credentials(*chain(algorithm))
    assert given.algorithm == algorithm
    sign(source, out, given)
    told = statement(out)
    active = told["manifests"][told["active_manifest"]]
    actions = [a for a in active["assertions"] if a["label"].startswith("c2pa.actions")]
    (created,) = actions[0]["data"]["actions"]
    assert created["action"] == "c2pa.created"
    assert created["digitalSourceType"].endswith("/trainedAlgorithmicMedia")
    assert told["validation_state"] == "Valid"
    assert active["signature_info"]["issuer"] == "Test"


def test_a_signed_file_plays_the_same_and_a_changed_one_is_found_out(chain, make, tmp_path):
    source, out = make("a.mp4"), tmp_path / "signed.mp4"
    sign(source, out, load_credentials(*chain()))
    before, after = (read_clip(path, fps=25, sample_rate=48000) for path in (source, out))
    assert (before.frames == after.frames).all() and (before.audio == after.audio).all()
    data = bytearray(out.read_bytes())
    data[data.index(b"mdat") + 500] ^= 1
    out.write_bytes(data)
    assert statement(out)["validation_state"] == "Invalid"


@pytest.mark.parametrize("suffix", credentials.SUFFIXES)
def test_every_suffix_that_is_promised_can_be_signed(chain, make, tmp_path, suffix):
    codec = {".wav": "pcm_s16le", ".flac": "flac", ".mp3": "libmp3lame"}.get(suffix, "aac")
    video = "libx264" if suffix in (".mp4", ".mov", ".m4v") else None
    out = tmp_path / f"signed{suffix}"
    sign(make(f"a{suffix}", video=video, audio=codec), out, load_credentials(*chain()))
    assert statement(out)["validation_state"] == "Valid"


def test_nothing_is_left_where_signing_fails(chain, make, tmp_path):
    given = load_credentials(*chain())
    with pytest.raises(UserError, match="mkv files cannot hold"):
        sign(make("a.mkv"), tmp_path / "b.mkv", given)
    (tmp_path / "c.mp4").write_bytes(b"no video")
    with pytest.raises(UserError, match="cannot be signed"):
        sign(tmp_path / "c.mp4", tmp_path / "d.mp4", given)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mkv", "c.mp4", "chain.pem", "key.pem"]


def test_what_does_not_fit_is_told_and_keys_stay_secret(chain, tmp_path):
    certificates, key = chain()
    secret = key.read_text()
    assert secret.splitlines()[1] not in repr(load_credentials(certificates, key))
    for given in [(certificates, certificates), (key, key), (tmp_path / "no", key),
                  (certificates, tmp_path), (tmp_path / "empty", key)]:  # fmt: skip
        (tmp_path / "empty").write_text("")
        with pytest.raises(UserError) as told:
            load_credentials(*given)
        assert secret.splitlines()[1] not in str(told.value)
    other = KEYS["ES256"]()
    key.write_bytes(pem(other))
    with pytest.raises(UserError, match="first certificate is not that of"):
        load_credentials(certificates, key)


def test_without_the_package_it_is_named(chain, monkeypatch):
    given = chain()
    monkeypatch.setitem(__import__("sys").modules, "c2pa", None)
    with pytest.raises(UserError, match=r"c2pa-python.*v2a-jax\[c2pa\]"):
        load_credentials(*given)
