from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch

from pressgang.config import ModelConfig
from pressgang.model.joint_model import JointModel, maximum_table, range_maximum
from pressgang.model.pretrained import load_encoder


@pytest.fixture(scope="module")
def model(bert: Path) -> JointModel:
    torch.manual_seed(0)
    encoder, _ = load_encoder(str(bert), dropout=0.0)
    return JointModel(encoder, n_labels=3, n_relations=4, config=ModelConfig(pair_width=8)).eval()


@pytest.mark.parametrize("n_tokens", [1, 2, 3, 7, 8, 9, 33])
def test_range_maximum_equals_the_maximum_of_the_slice(n_tokens: int) -> None:
    hidden = torch.randn(2, n_tokens, 5)
    table = maximum_table(hidden)
    for window, start in itertools.product(range(2), range(n_tokens)):
        for end in range(start + 1, n_tokens + 1):
            found = range_maximum(
                table, torch.tensor([window]), torch.tensor([start]), torch.tensor([end])
            )
            assert torch.equal(found[0], hidden[window, start:end].amax(dim=0))


def _spans(**changes: list[int] | list[list[int]]) -> dict[str, torch.Tensor]:
    spans = {
        "window": [0, 0, 0],
        "first": [1, 4, 9],
        "last": [2, 4, 10],
        "label": [0, 1, 2],
        "head": [0, 1, 2, 0],
        "tail": [1, 0, 0, 2],
        "distance": [0, 0, 1, 1],
        "grid": [[0, 1, 2]],
        "place": [0, 1, 2],
    } | changes
    return {name: torch.tensor(values) for name, values in spans.items()}


def test_padding_changes_no_logit(model: JointModel) -> None:
    tokens = torch.randint(5, 100, (1, 12))
    first = torch.tensor([[1, 4, 9]])
    plain = model.encode(tokens, torch.ones_like(tokens), torch.ones_like(tokens), first)
    padded = torch.nn.functional.pad
    wide = model.encode(
        padded(tokens, (0, 9)),
        padded(torch.ones_like(tokens), (0, 9)),
        padded(torch.ones_like(tokens), (0, 9)),
        padded(first, (0, 2)),
    )
    assert torch.allclose(plain[1], wide[1][:, :3], atol=1e-5)
    assert torch.allclose(
        model.relate(plain[0], **_spans()), model.relate(wide[0], **_spans()), atol=1e-5
    )


def test_what_lies_between_the_spans_matters(model: JointModel) -> None:
    hidden = torch.randn(1, 12, 32)
    changed = hidden.clone()
    changed[0, 6] += 10.0
    before, after = (model.relate(h, **_spans()) for h in (hidden, changed))
    assert torch.equal(before[0], after[0])  # tokens 1-2 and 4: token 6 is not between
    assert not torch.allclose(before[3], after[3])  # tokens 1-2 and 9-10: it is


def test_direction_and_sentence_distance_matter(model: JointModel) -> None:
    with torch.no_grad():
        model.pair_head.sentence_embedding.weight.normal_()
    hidden = torch.randn(1, 12, 32)
    logits = model.relate(hidden, **_spans())
    assert not torch.allclose(logits[0], logits[1])
    further = model.relate(hidden, **_spans(distance=[3, 0, 1, 1]))
    assert not torch.allclose(logits[0], further[0])
    assert torch.equal(logits[1], further[1])


def test_no_pairs_give_no_rows_and_reach_every_weight(model: JointModel) -> None:
    hidden = torch.randn(1, 12, 32, requires_grad=True)
    logits = model.relate(
        hidden,
        **_spans(head=[], tail=[], distance=[])
        | {name: torch.zeros(0, dtype=torch.long) for name in ("head", "tail", "distance")},
    )
    assert logits.shape == (0, 4)
    logits.sum().backward()
    missing = [n for n, p in model.pair_head.named_parameters() if p.grad is None]
    assert not missing
    model.zero_grad(set_to_none=True)


def test_the_shape_embedding_begins_as_nothing(bert: Path) -> None:
    encoder, _ = load_encoder(str(bert))
    model = JointModel(encoder, n_labels=1, n_relations=1, config=ModelConfig()).eval()
    tokens = torch.randint(5, 100, (1, 6))
    mask, first = torch.ones_like(tokens), torch.tensor([[1]])
    plain = model.encode(tokens, torch.zeros_like(tokens), mask, first)[0]
    shaped = model.encode(tokens, torch.full_like(tokens, 7), mask, first)[0]
    assert torch.equal(plain, shaped)
