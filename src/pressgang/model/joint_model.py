"""The torch modules: a shared encoder, a tag head over words, a pair head over spans."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pressgang.config import ModelConfig
from pressgang.text.batches import SpanBatch, WindowBatch
from pressgang.text.encoding import N_SHAPES
from pressgang.text.pairing import N_SENTENCE_DISTANCES

GAP_EDGES = (1, 2, 3, 5, 8, 16, 32, 64)


class JointModel(nn.Module):
    """One encoder pass per window for entities and relations.

    The encoder is any Hugging Face encoder that takes `inputs_embeds`. A shape embedding, which
    begins at zero, is added to its token embeddings, because an uncased tokenizer forgets case and
    all tokenizers forget some white space.
    """

    def __init__(
        self, encoder: Any, *, n_labels: int, n_relations: int, config: ModelConfig
    ) -> None:
        super().__init__()
        if getattr(encoder, "pooler", None) is not None:
            encoder.pooler = None  # never used: its weights would get no gradient
        self.encoder: Any = encoder
        width = int(self.encoder.config.hidden_size)
        embedding_width = int(self.encoder.get_input_embeddings().weight.shape[1])
        self.shape_embedding = nn.Embedding(N_SHAPES, embedding_width)
        nn.init.zeros_(self.shape_embedding.weight)
        self.dropout = nn.Dropout(config.dropout)
        self.tag_head = nn.Linear(width, 1 + 2 * n_labels)
        self.pair_head = PairHead(width, n_labels=n_labels, n_relations=n_relations, config=config)

    def encode(
        self, tokens: Tensor, shapes: Tensor, mask: Tensor, first: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Hidden states `[B, T, D]` and tag logits `[B, W, n_tags]` of a batch of windows.

        `tokens`, `shapes` and `mask` are `[B, T]`; `first` `[B, W]` is each word's first token.
        """
        embedded = self.encoder.get_input_embeddings()(tokens) + self.shape_embedding(shapes)
        return self.encode_embedded(embedded, mask, first)

    def encode_embedded(
        self, embedded: Tensor, mask: Tensor | None, first: Tensor
    ) -> tuple[Tensor, Tensor]:
        """As `encode`, from embeddings `[B, T, E]`; without a mask nothing may be padded.

        The exported graph begins here.
        """
        output = self.encoder(inputs_embeds=embedded, attention_mask=mask)
        hidden: Tensor = output.last_hidden_state.float()
        index = first.unsqueeze(-1).expand(-1, -1, hidden.shape[-1])
        logits: Tensor = self.tag_head(self.dropout(hidden.gather(1, index)))
        return hidden, logits

    def relate(
        self,
        hidden: Tensor,
        window: Tensor,
        first: Tensor,
        last: Tensor,
        label: Tensor,
        head: Tensor,
        tail: Tensor,
        distance: Tensor,
        grid: Tensor,
        place: Tensor,
    ) -> Tensor:
        """Relation logits `[P, n_relations]` of ordered pairs of spans.

        `window`, `first`, `last` and `label` `[S]` say in which window a span lies, its first and
        last token (inclusive) and its label; `head` and `tail` `[P]` are positions among the spans,
        `distance` `[P]` counts the sentences between them. `grid` `[B, N]` lists the spans of each
        window, `place` `[S]` says in which column of it a span stands.
        """
        logits: Tensor = self.pair_head(
            hidden, window, first, last, label, head, tail, distance, grid, place
        )
        return logits


class PairHead(nn.Module):
    """Scores ordered pairs of spans.

    A span is its first and last token, their maximum over the span and its label (after Eberts and
    Ulges, 2020; Zhong and Chen, 2021). A pair is scored by a biaffine form (Dozat and Manning,
    2017) plus a perceptron over both spans, their product, the maximum over the tokens between them
    and their distance.
    """

    def __init__(self, width: int, *, n_labels: int, n_relations: int, config: ModelConfig) -> None:
        super().__init__()
        pair_width = config.pair_width
        self.label_embedding = nn.Embedding(n_labels, config.label_width)
        self.head = nn.Linear(3 * width + config.label_width, pair_width)
        self.tail = nn.Linear(3 * width + config.label_width, pair_width)
        self.biaffine = nn.Parameter(
            torch.randn(n_relations, pair_width + 1, pair_width + 1) / (4 * pair_width)
        )
        self.from_head = nn.Linear(pair_width, pair_width)
        self.from_tail = nn.Linear(pair_width, pair_width)
        self.from_product = nn.Linear(pair_width, pair_width)
        self.from_between = nn.Linear(width, pair_width)
        self.nothing_between = nn.Parameter(torch.zeros(width))
        self.gap_embedding = nn.Embedding(2 * (len(GAP_EDGES) + 1), pair_width)
        self.sentence_embedding = nn.Embedding(N_SENTENCE_DISTANCES, pair_width)
        nn.init.zeros_(self.gap_embedding.weight)
        nn.init.zeros_(self.sentence_embedding.weight)
        self.out = nn.Linear(pair_width, n_relations)
        self.dropout = nn.Dropout(config.dropout)
        self.gap_edges: Tensor
        self.register_buffer("gap_edges", torch.tensor(GAP_EDGES), persistent=False)

    def forward(
        self,
        hidden: Tensor,
        window: Tensor,
        first: Tensor,
        last: Tensor,
        label: Tensor,
        head: Tensor,
        tail: Tensor,
        distance: Tensor,
        grid: Tensor,
        place: Tensor,
        *,
        n_levels: int | None = None,
    ) -> Tensor:
        """Logits `[P, n_relations]`; the arguments are those of `JointModel.relate`.

        `n_levels` is that of `maximum_table`: an exported graph has a fixed number.
        """
        table = maximum_table(hidden, n_levels)
        vectors = torch.cat(
            [
                hidden[window, first],
                hidden[window, last],
                range_maximum(table, window, first, last + 1),
                self.label_embedding(label),
            ],
            dim=-1,
        )
        vectors = self.dropout(vectors)
        heads = nn.functional.gelu(self.head(vectors))
        tails = nn.functional.gelu(self.tail(vectors))
        between, gap = self.between(
            table, window[head], torch.stack([first[head], last[head], first[tail], last[tail]])
        )
        mixed = (
            self.from_head(heads)[head]
            + self.from_tail(tails)[tail]
            + self.from_product(heads[head] * tails[tail])
            + self.from_between(self.dropout(between))
            + self.gap_embedding(gap)
            + self.sentence_embedding(distance)
        )
        logits: Tensor = self.out(self.dropout(nn.functional.gelu(mixed)))
        pairs = (window[head], place[head], place[tail])
        return logits + self.form(_with_one(heads), _with_one(tails), grid)[pairs]

    def form(self, heads: Tensor, tails: Tensor, grid: Tensor) -> Tensor:
        """The biaffine form `[B, N, N, n_relations]` of the spans `heads` and `tails` `[S, D]`.

        Spans are few and pairs are many: each head goes through the form once, and then meets all
        tails of its window in one product. What stands where `grid` is padded has no meaning.
        """
        shape = (*grid.shape, heads.shape[-1])
        left = heads.index_select(0, grid.flatten()).view(shape)
        right = tails.index_select(0, grid.flatten()).view(shape)
        width, n_relations = heads.shape[-1], len(self.biaffine)
        # One matrix for all relations, so that an export can store it as it stores linear layers.
        through = left @ self.biaffine.permute(1, 0, 2).reshape(width, -1)
        through = through.view(*grid.shape, n_relations, width)
        return torch.einsum("bsry,bty->bstr", through, right)

    def between(self, table: Tensor, window: Tensor, edges: Tensor) -> tuple[Tensor, Tensor]:
        """The maximum `[P, D]` over the tokens between two spans, and the bucket `[P]` of the gap.

        `edges` `[4, P]`: first and last token of the head, first and last token of the tail. The
        bucket tells the number of tokens between and whether the tail stands first.
        """
        first_h, last_h, first_t, last_t = edges
        start = torch.minimum(last_h, last_t) + 1
        end = torch.maximum(first_h, first_t)
        gap = (end - start).clamp(min=0)
        # An empty range asks for one token that exists; the answer is replaced below.
        start = torch.minimum(start, end)
        context = range_maximum(table, window, start, torch.maximum(end, start + 1))
        context = torch.where((gap > 0).unsqueeze(-1), context, self.nothing_between)
        bucket = (gap.unsqueeze(-1) >= self.gap_edges).sum(dim=-1)
        return context, bucket + (first_h > first_t).long() * (len(GAP_EDGES) + 1)


def as_tensors(batch: WindowBatch | SpanBatch, device: torch.device) -> dict[str, Tensor]:
    """The arrays of a batch as tensors, by field name."""
    return {
        name: torch.from_numpy(np.ascontiguousarray(getattr(batch, name))).to(device)
        for name in type(batch).__dataclass_fields__
    }


def maximum_table(hidden: Tensor, n_levels: int | None = None) -> Tensor:
    """Maxima over 1, 2, 4, … tokens from each position: `[B, T, D]` to `[levels, B, T, D]`.

    Any range maximum is the larger of two entries (sparse table, Bender and Farach-Colton, 2000),
    so spans and contexts of all lengths are pooled without a loop over pairs. Entries that would
    reach past the last token have no meaning. Without `n_levels` there are as many as T needs.
    """
    if n_levels is None:
        n_levels = max(1, int(hidden.shape[1]).bit_length())
    levels = [hidden]
    for level in range(n_levels - 1):
        previous, reach = levels[-1], 2**level
        shifted = nn.functional.pad(previous, (0, 0, 0, reach))[:, reach:]
        levels.append(torch.maximum(previous, shifted))
    return torch.stack(levels)


def range_maximum(table: Tensor, window: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """Maxima `[N, D]` over the tokens `start` to `end` (exclusive, not empty) of each window."""
    length = end - start
    # floor(log2) in integers: one comparison a level is exact where a logarithm is not.
    powers = 2 ** torch.arange(1, table.shape[0], device=table.device)
    level = (length.unsqueeze(-1) >= powers).sum(dim=-1)
    return torch.maximum(table[level, window, start], table[level, window, end - 2**level])


def _with_one(vectors: Tensor) -> Tensor:
    """The vectors with a constant 1 appended, so that the biaffine form holds its linear parts."""
    return torch.cat([vectors, torch.ones_like(vectors[:, :1])], dim=-1)
