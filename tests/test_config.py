import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pressgang.config import RunConfig, WindowConfig, from_mapping

ROOT = Path(__file__).parents[1]


def written(folder: Path, toml: str) -> Path:
    path = folder / "run.toml"
    path.write_text(toml, encoding="utf-8")
    return path


def test_an_empty_file_is_the_default(tmp_path: Path) -> None:
    assert RunConfig.from_toml(written(tmp_path, "")) == RunConfig()


@pytest.mark.parametrize("path", sorted(ROOT.glob("training/*.toml")), ids=lambda path: path.name)
def test_every_recipe_loads(path: Path) -> None:
    config = RunConfig.from_toml(path)
    assert config.name == path.stem


def test_values_land_where_they_are_written(tmp_path: Path) -> None:
    path = written(tmp_path, 'seed = 3\n[data]\nheld_out = ["a", "b"]\n[model]\ndropout = 0.2\n')
    config = RunConfig.from_toml(path)
    assert (config.seed, config.data.held_out, config.model.dropout) == (3, ("a", "b"), 0.2)


@pytest.mark.parametrize(
    ("toml", "key"),
    [("sead = 3", "sead"), ("[training]\nepoch = 3", r"training\.epoch"), ("[extra]", "extra")],
)
def test_an_unknown_key_is_refused_with_its_file(tmp_path: Path, toml: str, key: str) -> None:
    path = written(tmp_path, toml)
    with pytest.raises(ValueError, match=rf"{path}: unknown key {key}; known here: "):
        RunConfig.from_toml(path)


@pytest.mark.parametrize(
    ("toml", "key"),
    [
        ('seed = "3"', "seed"),
        ("seed = 3.0", "seed"),
        ("seed = true", "seed"),
        ("name = 3", "name"),
        ("training = 3", "training"),
        ("[training]\nepochs = true", r"training\.epochs"),
        ("[training]\nwarm_up = true", r"training\.warm_up"),
        ('[training]\nwarm_up = "0.1"', r"training\.warm_up"),
        ("[training]\nfreeze_word_embeddings = 1", r"training\.freeze_word_embeddings"),
        ('[training]\ndevice = "tpu"', r"training\.device"),
        ("[model]\nencoder_dropout = false", r"model\.encoder_dropout"),
        ('[data]\nexports = "gold.json"', r"data\.exports"),
        ("[data]\nheld_out = [1]", r"data\.held_out"),
        ("[data]\nlabeling_config = 1", r"data\.labeling_config"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_with_file_and_key(
    tmp_path: Path, toml: str, key: str
) -> None:
    path = written(tmp_path, toml)
    with pytest.raises(ValueError, match=f"{path}: {key} (is|must be)"):
        RunConfig.from_toml(path)


def test_a_whole_number_is_a_float_too(tmp_path: Path) -> None:
    training = RunConfig.from_toml(written(tmp_path, "[training]\nclip_norm = 2")).training
    assert training.clip_norm == 2.0
    assert isinstance(training.clip_norm, float)


@pytest.mark.parametrize("content", [b"seed = = 3", b"\xff\xfe", b"seed = 1\nseed = 2"])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "run.toml"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=str(path)):
        RunConfig.from_toml(path)


@pytest.mark.parametrize(
    "sizes", [(100, 90, 9), (100, 0, 10), (100, -5, 10), (100, 50, -1), (2, 1, 0)]
)
def test_windows_that_do_not_fit_are_refused(sizes: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="windows"):
        WindowConfig(*sizes)


def test_windows_that_do_not_fit_are_refused_with_their_file(tmp_path: Path) -> None:
    path = written(tmp_path, "[windows]\ntokens = 64")
    with pytest.raises(ValueError, match=rf"{path}: \[windows\] .* do not fit into tokens"):
        RunConfig.from_toml(path)


@given(
    st.builds(
        RunConfig,
        name=st.text(),
        seed=st.integers(0, 2**31),
        windows=st.builds(
            WindowConfig, st.integers(200, 512), st.integers(1, 99), st.integers(0, 99)
        ),
    )
)
@settings(max_examples=40, deadline=None)
def test_a_run_survives_json(config: RunConfig) -> None:
    record = json.loads(json.dumps(dataclasses.asdict(config)))
    assert from_mapping(RunConfig, record) == config


@pytest.mark.parametrize("path", sorted(ROOT.glob("training/*.toml")), ids=lambda path: path.name)
def test_every_recipe_survives_json(path: Path) -> None:
    config = RunConfig.from_toml(path)
    record = json.loads(json.dumps(dataclasses.asdict(config)))
    assert from_mapping(RunConfig, record) == config


def test_a_number_too_large_for_a_float_is_refused_with_its_key(tmp_path: Path) -> None:
    path = written(tmp_path, f"[training]\nclip_norm = 1{'0' * 400}")
    with pytest.raises(ValueError, match=r"training\.clip_norm"):
        RunConfig.from_toml(path)
