"""The ledger is only appended to, tampering is found, and policies keep out what they must."""

import datetime
import json

import numpy as np
import pytest
import scipy.io.wavfile

from data_pipelines.provenance import ledger
from data_pipelines.provenance.allowed import AllowedSource, allowed
from data_pipelines.provenance.licences import gates, spdx
from data_pipelines.provenance.policy import refusal
from data_pipelines.records import RecordSource
from data_pipelines.sources import Rights, SourceClip
from v2a_jax.errors import UserError

TODAY = datetime.date(2026, 1, 2)
GOOD = Rights(licence="CC-BY-4.0", evidence="https://example.org", consent="licence")


def row(name, rights=GOOD):
    clip = SourceClip(uid=name, dataset="test", media=f"/media/{name}.mp4", rights=rights)
    return ledger.asset_row(clip, f"sha-{name}", [], root="/media")


@pytest.fixture
def path(tmp_path):
    ledger.write(tmp_path / "ledger.jsonl", [row("a"), row("b"), row("c")])
    return tmp_path / "ledger.jsonl"


def test_withdrawing_appends(path):
    before = path.read_bytes()
    digest = ledger.digest(path)
    assert ledger.withdraw(path, ["test/b", "sha-c"], "asked for", TODAY) == 2
    assert path.read_bytes().startswith(before) and ledger.digest(path) != digest
    assert ledger.verify(path, None) == []
    assert ledger.withdrawn_names(path) == {"sha-b", "test/b", "sha-c", "test/c"}
    assert ledger.latest(path)["test/b"]["withdrawn"] == {
        "date": "2026-01-02",
        "reason": "asked for",
    }
    assert ledger.withdraw(path, ["test/b"], "again", TODAY) == 0
    assert ledger.summary(path)["status"] == {"active": 1, "withdrawn": 2}


def test_an_unknown_name_withdraws_nothing(path):
    before = path.read_bytes()
    with pytest.raises(UserError, match="no asset 'test/x'"):
        ledger.withdraw(path, ["test/a", "test/x"], "asked for", TODAY)
    assert path.read_bytes() == before


def test_tampering_is_found(path):
    rows = path.read_bytes().splitlines(keepends=True)
    for damaged in (
        rows[:1] + rows[2:],
        [rows[1], rows[0], rows[2]],
        [rows[0].replace(b"CC-BY-4.0", b"CC-BY-3.0"), *rows[1:]],
        [rows[0], b"{\n", *rows[1:]],
    ):
        path.write_bytes(b"".join(damaged))
        assert ledger.verify(path, None)


def test_files_are_verified(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"a")
    clip = SourceClip(uid="a", dataset="test", media=str(tmp_path / "a.mp4"))
    asset = ledger.digest(tmp_path / "a.mp4")
    path = tmp_path / "ledger.jsonl"
    ledger.write(path, [ledger.asset_row(clip, asset, [], root=str(tmp_path))])
    assert ledger.verify(path, tmp_path) == []
    (tmp_path / "a.mp4").write_bytes(b"b")
    assert "not the bytes" in ledger.verify(path, tmp_path)[0]
    (tmp_path / "a.mp4").unlink()
    assert "missing" in ledger.verify(path, tmp_path)[0]


def test_damage_is_told_with_its_line(path):
    path.write_text(path.read_text() + '{"asset_id": "x"}\n')
    with pytest.raises(UserError, match=r"ledger\.jsonl:4: no 'provenance_id'"):
        list(ledger.read(path))
    path.write_bytes(path.read_bytes().replace(b"test/b", b"test/\xff"))
    with pytest.raises(UserError, match=r"ledger\.jsonl:2: damaged"):
        list(ledger.read(path))


def test_licences_are_recognised():
    assert spdx("http://creativecommons.org/licenses/by-nc/3.0/") == "CC-BY-NC-3.0"
    assert spdx("https://creativecommons.org/publicdomain/zero/1.0/") == spdx("CC0") == "CC0-1.0"
    assert spdx("cc by-nc-sa 4.0") == "CC-BY-NC-SA-4.0"
    sampling = "http://creativecommons.org/licenses/sampling+/1.0/"
    assert spdx(sampling) == sampling and not gates(sampling).train
    assert gates("CC-BY-4.0").commercial and not gates("CC-BY-NC-4.0").commercial
    assert not gates("CC-BY-NC-ND-4.0").redistribute
    assert gates("for research").train and not gates("for research").commercial
    assert not gates("").train and not gates("YouTube upload, unknown").train


@pytest.mark.parametrize(
    "licence",
    [
        "CC-BY-NC 4.0 International",
        "CC-BY-NC 3.0 US",
        "CC-BY-NC v4.0",
        "CC-BY-NC/4.0",
        "CC-BY-NonCommercial",
        "CC-BY-ND 4.0 Int",
        "CC-BY-3.0-NC",
        "not in the public domain",
        "not under CC0",
        "all but CC BY 4.0",
        "not https://creativecommons.org/licenses/by/4.0/",
    ],
)
def test_what_is_no_name_of_a_licence_allows_no_commerce(licence):
    assert spdx(licence) == licence
    assert not gates(licence).commercial and not gates(licence).redistribute


@pytest.mark.parametrize("terms", ["by", "by-nc", "by-nd", "by-sa", "by-nc-nd", "by-nc-sa"])
def test_every_form_of_a_name_allows_the_same(terms):
    address = f"creativecommons.org/licenses/{terms}/4.0"
    forms = [f"cc {terms} 4.0", f"CC-{terms.upper()}-4.0", f"cc {terms.replace('-', ' ')}"]
    forms += [f"http://{address}/", f"https://{address}/deed.en", f"www.{address}"]
    (allowed,) = {gates(form) for form in forms}
    assert allowed.train and allowed.commercial == ("nc" not in terms)
    assert allowed.redistribute == ("nd" not in terms)


@pytest.mark.parametrize("consent", ["None", "", None, "yes", "LICENCE", ["licence"]])
def test_only_a_known_basis_of_consent_is_one(consent):
    with pytest.raises(ValueError, match="is not one of licence, contract"):
        Rights(consent=consent)
    assert refusal(row("x") | {"consent_basis": consent}, "commercial") == "no basis of consent"


def test_policies_are_nested():
    research = Rights(licence="CC-BY-NC-4.0", evidence="https://example.org", consent="licence")
    unproven = Rights(licence="CC-BY-4.0", consent="licence")
    admitted = {
        policy: [not refusal(row("x", rights), policy) for rights in (GOOD, research, unproven)]
        for policy in ("commercial", "research", "any")
    }
    assert admitted["commercial"] == [True, False, False]
    assert admitted["research"] == [True, True, False]
    assert admitted["any"] == [True, True, True]
    assert refusal(None, "commercial") and not refusal(None, "any")
    assert refusal(row("x") | {"status": "withdrawn"}, "any") == "withdrawn"


@pytest.fixture
def dataset(corpus, prepared, tmp_path):
    path = corpus("clotho")
    noise_N = np.random.default_rng(1).integers(-9000, 9000, 19200).astype(np.int16)
    scipy.io.wavfile.write(path / "development" / "wind.wav", 16000, noise_N)
    prepared(path, tmp_path / "data", source="clotho")
    return tmp_path / "data"


def test_a_run_reads_what_the_policy_allows(dataset):
    records = RecordSource(dataset)
    everything = allowed(records, "any", "")
    assert len(everything) == len(records) == 4
    licensed = allowed(records, "commercial", "")
    assert len(licensed) == 2 and all("Bells" in record.provenance for record in licensed)
    assert licensed.provenance["withheld"] == {"licence does not allow training": 2}
    assert licensed.provenance["licences"] == {"CC-BY-3.0": 2}


def test_withdrawn_assets_are_skipped_everywhere_and_counted(dataset, corpus, prepared, tmp_path):
    path = dataset / ledger.LEDGER
    ledger.withdraw(path, ["clotho/wind"], "asked for", TODAY)
    source = allowed(RecordSource(dataset), "any", "")
    assert all("wind" not in record.provenance for record in source) and len(source) == 2
    assert source.provenance["withheld"] == {"withdrawn": 2}
    assert source.provenance["ledger_sha256"] == ledger.digest(path)
    stages = prepared(tmp_path / "clotho", tmp_path / "again", source="clotho", ledger=path)
    assert stages[1]["dropped"] == {"withdrawn": 1}


def test_a_withdrawn_file_is_known_by_its_bytes(corpus, prepared, tmp_path):
    """The sounds of the corpus are copies of one file, under other names."""
    path = tmp_path / "ledger.jsonl"
    prepared(corpus("clotho"), tmp_path / "data", source="clotho")
    told, _ = ledger.read(tmp_path / "data" / ledger.LEDGER)
    ledger.write(path, [told | {"provenance_id": "other/name"}])
    ledger.withdraw(path, ["other/name"], "asked for", TODAY)
    with pytest.raises(UserError, match="no clip is left: .*2 withdrawn"):
        prepared(tmp_path / "clotho", tmp_path / "again", source="clotho", ledger=path)


def test_policies_need_a_ledger_and_leave_something(dataset):
    records = RecordSource(dataset)
    with pytest.raises(UserError, match="unknown policy 'fair'"):
        allowed(records, "fair", "")
    (dataset / ledger.LEDGER).rename(dataset / "elsewhere.jsonl")
    with pytest.raises(UserError, match="no ledger there"):
        allowed(records, "commercial", "")
    assert isinstance(allowed(records, "any", ""), RecordSource)
    assert isinstance(allowed(records, "research", str(dataset / "elsewhere.jsonl")), AllowedSource)
    ledger.withdraw(dataset / "elsewhere.jsonl", ["clotho/wind", "clotho/Bells é"], "x", TODAY)
    with pytest.raises(UserError, match="leaves no record"):
        allowed(records, "any", str(dataset / "elsewhere.jsonl"))


def test_a_ledger_lists_a_clip_once(dataset):
    rows = [json.loads(line) for line in (dataset / ledger.LEDGER).read_text().splitlines()]
    assert [row["provenance_id"] for row in rows] == ["clotho/Bells é", "clotho/wind"]
    assert {row["media"] for row in rows} == {"development/Bells é.wav", "development/wind.wav"}
