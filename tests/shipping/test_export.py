"""An exported model: what it predicts, without what, and when it is refused."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import pressgang
from pressgang.document import Document
from pressgang.model.extractor import Extractor
from pressgang.model.onnx_runtime import OnnxRuntime
from pressgang.shipping.export import export, shortcomings
from pressgang.text.batches import View, window_batch
from pressgang.text.windows import cut
from tests.conftest import TINY

pytestmark = pytest.mark.slow


def scores(document: Document) -> list[float]:
    return [thing.score or 0.0 for thing in (*document.entities, *document.relations)]


def test_an_export_predicts_what_the_trained_model_does(
    reporter: Extractor, exported: Path, court_reports: list[Document]
) -> None:
    small = pressgang.load(exported)
    assert isinstance(small.runtime, OnnxRuntime)
    assert small.calibration is not None
    reporter = dataclasses.replace(reporter, calibration=small.calibration)
    texts = ["", "Askar", *(d.text for d in court_reports)]  # what it knows, so no close calls
    for mine, theirs in zip(small.predict_many(texts), reporter.predict_many(texts), strict=True):
        assert mine.entities == theirs.entities
        assert mine.relations == theirs.relations
        assert scores(mine) == pytest.approx(scores(theirs), abs=0.1)
    bare = [Document(d.id, d.text, d.entities) for d in court_reports]
    assert [d.relations for d in small.relate_many(bare)] == [d.relations for d in court_reports]


def test_the_same_text_has_the_same_scores_alone_in_any_batch_and_in_any_order(
    exported: Path, court_reports: list[Document]
) -> None:
    small = pressgang.load(exported)
    texts = [d.text for d in court_reports] * 3 + [" ".join(d.text for d in court_reports) * 4]
    alone = [small.predict(text) for text in texts]
    together = list(small.predict_many(texts))
    backwards = list(small.predict_many(reversed(texts)))[::-1]
    assert any(scores(document) for document in alone)
    for one, two, three in zip(alone, together, backwards, strict=True):
        assert one.entities == two.entities == three.entities
        assert one.relations == two.relations == three.relations
        assert scores(one) == pytest.approx(scores(two), abs=1e-3)
        assert scores(one) == pytest.approx(scores(three), abs=1e-3)


def test_hidden_states_and_logits_of_a_window_are_the_same_to_the_bit_in_a_batch(
    exported: Path, court_reports: list[Document]
) -> None:
    small = pressgang.load(exported)
    views = []
    for text in [d.text for d in court_reports] * 2:
        encoded = small.text_encoder.encode(text)
        views += [View(encoded, w) for w in cut(encoded, small.config.windows, n_special=2)]
    hidden, tags = small.runtime.encode(window_batch(views, small.text_encoder))
    assert len({view.n_tokens for view in views}) > 1
    for row, view in enumerate(views):
        own_hidden, own_tags = small.runtime.encode(window_batch([view], small.text_encoder))
        n_tokens, n_words = own_hidden.shape[1], own_tags.shape[1]
        assert np.array_equal(own_hidden[0], hidden[row, :n_tokens])
        assert np.array_equal(own_tags[0], tags[row, :n_words])


def test_an_export_loads_and_predicts_without_torch(exported: Path) -> None:
    code = f"""
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in {{'torch', 'transformers', 'safetensors', 'onnx', 'datasets'}}:
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
import pressgang
document = pressgang.load({str(exported)!r}).predict('Askar Usenov was jailed in Osh.')
assert document.relations, document
print(*{{name.partition('.')[0] for name in sys.modules}})
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "onnxruntime" in run.stdout.split()
    assert not {"torch", "transformers", "safetensors", "onnx"} & set(run.stdout.split())


def test_an_export_says_what_it_is_and_how_it_was_checked(exported: Path) -> None:
    manifest = json.loads((exported / "manifest.json").read_text())
    assert {"onnxruntime", "torch", "pressgang", "python"} <= set(manifest["versions"])
    assert manifest["check"]["exported"]["entities"] == manifest["check"]["trained"]["entities"]
    assert set(manifest["files"]) == {
        *("pressgang.json", "schema.json", "tokenizer.json"),
        *("encoder.json", "encoder.onnx", "pairs.onnx"),
        *("run.json", "calibration.json"),
    }
    assert {path.name for path in exported.iterdir()} == {*manifest["files"], "manifest.json"}


def _write(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


def _cut_off(folder: Path) -> None:
    path = folder / "encoder.onnx"
    path.write_bytes(path.read_bytes()[:-100])


def _flip_a_bit(folder: Path) -> None:
    content = bytearray((folder / "pairs.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "pairs.onnx").write_bytes(content)


def _rename(folder: Path) -> None:
    (folder / "encoder.onnx").rename(folder / "model.onnx")


def _swap(folder: Path) -> None:
    encoder, pairs = (folder / "encoder.onnx").read_bytes(), (folder / "pairs.onnx").read_bytes()
    (folder / "encoder.onnx").write_bytes(pairs)
    (folder / "pairs.onnx").write_bytes(encoder)


def _edit_manifest(change: Callable[[dict], object]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        record = json.loads((folder / "manifest.json").read_text())
        change(record)
        (folder / "manifest.json").write_text(json.dumps(record))

    return edit


def _reseal_foreign(folder: Path) -> None:
    """A manifest that is right about files that are no graphs of ours."""
    from pressgang.model.artefact import seal

    shutil.copyfile(folder / "pairs.onnx", folder / "encoder.onnx")
    seal(folder, [p.name for p in folder.iterdir() if p.name != "manifest.json"], {})


def _reseal_noise(folder: Path) -> None:
    from pressgang.model.artefact import seal

    (folder / "encoder.onnx").write_bytes(b"no graph at all")
    seal(folder, [p.name for p in folder.iterdir() if p.name != "manifest.json"], {})


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "gone": (shutil.rmtree, "no pressgang model here"),
    "empty": (_empty, "no pressgang model here"),
    "another kind of model": (
        lambda f: (_empty(f), (f / "config.json").write_text("{}")),
        "no pressgang model here",
    ),
    "manifest gone": (lambda f: (f / "manifest.json").unlink(), "is missing"),
    "empty manifest": (_write("manifest.json", b""), "not the manifest"),
    "manifest of bytes": (_write("manifest.json", b"\xff\xfe\x00"), "not the manifest"),
    "manifest of a list": (_write("manifest.json", b"[1]"), "not the manifest"),
    "other format": (_edit_manifest(lambda r: r.update(format=9)), "format 9, expected 1"),
    "file not listed": (_edit_manifest(lambda r: r["files"].pop("schema.json")), "does not list"),
    "path out of the folder": (
        _edit_manifest(lambda r: r["files"].update({"../x": {"bytes": 1, "sha256": ""}})),
        "no plain file name",
    ),
    "cut off": (_cut_off, "bytes, the manifest says"),
    "empty graph": (_write("encoder.onnx", b""), "0 bytes, the manifest says"),
    "one bit": (_flip_a_bit, "its SHA-256 differs"),
    "renamed": (_rename, "encoder.onnx: missing"),
    "graphs swapped": (_swap, "the manifest says"),
    "calibration of another": (_write("calibration.json", b"{}"), "the manifest says"),
    "schema of another": (_write("schema.json", b"{}"), "the manifest says"),
    "sealed, but another graph": (_reseal_foreign, "expected tokens, shapes, first"),
    "sealed, but no graph": (_reseal_noise, "not a graph that onnxruntime reads"),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_or_foreign_folder_is_refused_in_one_line(
    exported: Path,
    tmp_path: Path,
    damage: Callable[[Path], object],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from pressgang import cli

    folder = tmp_path / "copy"
    shutil.copytree(exported, folder)
    damage(folder)
    text = tmp_path / "text.txt"
    text.write_text("Askar was jailed in Osh.")
    arguments = ["pressgang", "predict", str(text), "--model", str(folder)]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as stop:
        cli.main()
    out, err = capsys.readouterr()
    assert (stop.value.code, out) == (2, "")
    assert err.startswith("pressgang: ")
    assert err.count("\n") == 1
    assert str(folder) in err
    assert message in err


def test_an_export_on_a_gpu_that_is_not_there_is_refused(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="device 'abacus'; expected auto, cpu or cuda"):
        pressgang.load(exported, device="abacus")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(ValueError, match=f"{exported}: device cuda .* has only the CPU"):
        pressgang.load(exported, device="cuda")


def test_an_export_does_not_go_from_a_gpu_to_the_cpu_in_silence(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """onnxruntime itself drops a provider that fails, with a warning."""
    real = onnxruntime.InferenceSession
    asked = []

    def without_gpu(graph: bytes, options: object, providers: list[str]) -> object:
        asked.append(providers)
        return real(graph, options, providers=["CPUExecutionProvider"])

    both = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: both)
    monkeypatch.setattr(onnxruntime, "InferenceSession", without_gpu)
    with pytest.raises(ValueError, match=f"{exported}: device cuda .* finds no GPU"):
        pressgang.load(exported, device="cuda")
    assert asked == [both]


def test_a_model_trained_into_the_folder_of_an_export_takes_its_place(
    reporter: Extractor, exported: Path, tmp_path: Path
) -> None:
    shutil.copytree(exported, tmp_path / "model")
    reporter.save(tmp_path / "model")
    assert not isinstance(pressgang.load(tmp_path / "model").runtime, OnnxRuntime)


def test_what_is_no_trained_model_or_no_free_folder_is_not_exported(
    trained: Path, exported: Path, court_reports: list[Document], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="is an export already"):
        export(exported, tmp_path / "new", court_reports)
    with pytest.raises(ValueError, match="no document has an entity"):
        export(trained, tmp_path / "new", [Document("d", "Nothing happened.")])
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="holds something else"):
        export(trained, tmp_path, court_reports)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_refused_export_leaves_nothing_behind(
    trained: Path,
    court_reports: list[Document],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The matrices lose all that is in them: the export must not pass."""
    from pressgang.shipping import quantization

    def nothing(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros(weight.shape, dtype=np.int8), np.ones(weight.shape[1], dtype=np.float32)

    monkeypatch.setattr(quantization, "round_columns", nothing)
    with pytest.raises(ValueError, match=r"the export is refused: entities fall from 1\.0000 to"):
        export(trained, tmp_path / "new", court_reports, least_width=TINY)
    assert list(tmp_path.iterdir()) == []


def _check(entities: float, relations: float, seconds: float) -> dict[str, object]:
    before = {"entities": 0.9, "relations": 0.7, "seconds": 1.0, "words_per_second": 100}
    after = {"entities": entities, "relations": relations, "seconds": seconds}
    return {"trained": before, "exported": after | {"words_per_second": round(100 / seconds)}}


@pytest.mark.parametrize(
    ("check", "faults"),
    [
        (_check(0.9, 0.7, 0.5), []),
        (_check(0.8951, 0.6951, 0.99), []),
        (_check(0.8949, 0.7, 0.5), ["entities fall from 0.9000 to 0.8949"]),
        (_check(0.95, 0.69, 0.5), ["relations fall"]),
        (_check(0.9, 0.7, 1.0), ["not faster (100 words a second"]),
        (_check(0.8, 0.6, 2.0), ["entities fall", "relations fall", "not faster"]),
    ],
)
def test_an_export_is_refused_if_it_is_worse_or_not_faster(
    check: dict[str, object], faults: list[str]
) -> None:
    found = shortcomings(check)
    assert len(found) == len(faults)
    assert all(part in line for part, line in zip(faults, found, strict=True))
