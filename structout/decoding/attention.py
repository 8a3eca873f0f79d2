"""Attention over packed rows: every row's new tokens side by side in one sequence, without padding.

The model sees one sequence of all tokens (shape [1, tokens]) with explicit positions, and its attention is replaced
through transformers' attention interface. A token attends to its row's shared prefix and to the row's own tokens; the
two results are merged by the logarithms of their softmax sums (Milakov & Gimelshein, arXiv 1805.02867; for shared
prefixes Juravsky et al., arXiv 2402.05099).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from structout.decoding.cache import SharedPrefix, Slots

NAME = "structout_packed"
_SHORT = 4  # rows with at most this many new tokens are computed together, padded to the longest row
_BLOCK = 8  # rows per computation, so that one long row does not lengthen all rows


@dataclass(frozen=True, slots=True)
class Span:
    """A row's new tokens in a pass: its slot, the number of tokens in the slot before, and the number of new tokens."""

    slot: int
    start: int
    count: int
    prefix: SharedPrefix | None


@dataclass(slots=True)
class _Group:
    """The slots from `first` up to `last` (excluded), each with `width` new tokens that attend to at most `length`
    tokens of the slot.
    """

    first: int
    last: int
    width: int
    length: int
    take: torch.Tensor | None  # the tokens of the pass that are queries (padded); None for all tokens, in order
    put: tuple[torch.Tensor, torch.Tensor] | None  # results and their target tokens; None for all results, in order
    starts: list[int]
    masks: dict[tuple[int, torch.dtype], torch.Tensor] = field(default_factory=dict)

    def mask(self, heads: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
        """The mask to add to the scores: [slots, 1, heads per key head x width, length], shared by all layers."""
        if (heads, dtype) not in self.masks:
            last = torch.tensor(self.starts)[:, None] + torch.arange(self.width)
            hidden = torch.arange(self.length) > last.clamp(max=self.length - 1)[:, :, None]
            mask = torch.zeros(hidden.shape, dtype=dtype).masked_fill_(hidden, float("-inf"))
            self.masks[heads, dtype] = mask.repeat(1, heads, 1)[:, None].to(device)
        return self.masks[heads, dtype]


class Packing:
    """The layout of one forward pass: the row and the position of each token."""

    def __init__(self, spans: Sequence[Span], slots: Slots) -> None:
        self.slots = slots
        rows = [span.slot for span in spans for _ in range(span.count)]
        own = [span.start + i for span in spans for i in range(span.count)]
        self.row, self.own = torch.tensor(rows), torch.tensor(own)
        offsets = [span.prefix.length if span.prefix else 0 for span in spans for _ in range(span.count)]
        self.positions = self.own + torch.tensor(offsets)
        self.groups = _groups(spans)
        self.prefixes = _by_prefix(spans)

    def attend(self, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float) -> Any:
        """Store a layer's new keys and values, and attend: [1, heads, tokens, size] to [1, tokens, heads, size]."""
        keys, values = self.slots.layer(layer, key, value)
        keys[self.row, :, self.own] = key[0].transpose(0, 1).to(keys.dtype)
        values[self.row, :, self.own] = value[0].transpose(0, 1).to(values.dtype)
        tokens, size, inner = query.shape[2], query.shape[3], key.shape[1]
        heads = query.shape[1] // inner
        queries = query.view(inner, heads, tokens, size).to(keys.dtype)
        outputs, sums = self._own(queries, keys, values, scale)
        for prefix, index in self.prefixes:
            some = queries if index is None else queries[:, :, index]
            output, total = _attend(some.reshape(1, inner, -1, size), prefix.keys[layer], prefix.values[layer], scale)
            output = output.view(inner, heads, -1, output.shape[-1])
            total = total.view(inner, heads, -1)
            if index is None:
                outputs = _merge(outputs, sums, output, total)
            else:
                outputs[:, :, index] = _merge(outputs[:, :, index], sums[:, :, index], output, total)
        return outputs.reshape(1, inner * heads, tokens, -1).transpose(1, 2).to(query.dtype)

    def _own(
        self, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, scale: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        inner, heads, tokens, size = queries.shape
        outputs = queries.new_empty(inner, heads, tokens, values.shape[-1])
        sums = queries.new_empty(inner, heads, tokens)
        for group in self.groups:
            count, width = group.last - group.first, group.width
            some = queries if group.take is None else queries[:, :, group.take]
            some = some.view(inner, heads, count, width, size).permute(2, 0, 1, 3, 4)
            output, total = _attend(
                some.reshape(count, inner, heads * width, size),
                keys[group.first : group.last, :, : group.length],
                values[group.first : group.last, :, : group.length],
                scale,
                group.mask(heads, queries.dtype, queries.device),
            )
            output = output.view(count, inner, heads, width, -1).permute(1, 2, 0, 3, 4)
            output = output.reshape(inner, heads, count * width, -1)
            total = total.view(count, inner, heads, width).permute(1, 2, 0, 3).reshape(inner, heads, -1)
            if group.put is None:
                return output, total
            source, target = group.put
            outputs[:, :, target] = output[:, :, source]
            sums[:, :, target] = total[:, :, source].to(sums.dtype)
        return outputs, sums


class Prefill:
    """The layout of a pass that extends a prefix: the new tokens, from `start` on, attend to all tokens before them."""

    def __init__(self, prefix: SharedPrefix, start: int, count: int) -> None:
        self.prefix, self.start = prefix, start
        self.positions = torch.arange(start, start + count)

    def attend(self, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float) -> Any:
        """Store a layer's new keys and values, and attend, with the shapes of `Packing.attend`."""
        keys, values = self.prefix.layer(layer, key, value)
        tokens, size, inner = query.shape[2], query.shape[3], key.shape[1]
        heads = query.shape[1] // inner
        keys[:, :, self.start : self.start + tokens] = key
        values[:, :, self.start : self.start + tokens] = value
        queries = query.view(inner, heads, tokens, size).to(keys.dtype)
        key, value = key.to(keys.dtype), value.to(values.dtype)
        shape = inner, heads, tokens, -1
        outputs, sums = _attend(
            queries, key[0][:, None].expand(shape), value[0][:, None].expand(shape), scale, causal=True
        )
        if self.start:
            before = slice(0, self.start)
            folded = queries.reshape(1, inner, heads * tokens, size)
            output, total = _attend(folded, keys[:, :, before], values[:, :, before], scale)
            outputs = _merge(outputs, sums, output.view(shape), total.view(inner, heads, tokens))
        return outputs.reshape(1, inner * heads, tokens, -1).transpose(1, 2).to(query.dtype)


def _packed(
    module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: Any, **options: Any
) -> tuple[torch.Tensor, None]:
    """The attention that transformers calls; the layout comes through the model's arguments."""
    scale = options.get("scaling")
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    return options["layout"].attend(module.layer_idx, query, key, value, scale), None


@contextmanager
def packed(model: Any) -> Iterator[None]:
    """Make `model` attend by its argument `layout`; its own attention is restored afterwards."""
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    if NAME not in ALL_ATTENTION_FUNCTIONS:
        ALL_ATTENTION_FUNCTIONS.register(NAME, _packed)
    before = model.config._attn_implementation
    model.config._attn_implementation = NAME
    try:
        yield
    finally:
        model.config._attn_implementation = before


def _attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    scale: float,
    mask: torch.Tensor | None = None,
    *,
    causal: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention and the logarithm of each softmax sum: [rows, heads, queries, size] and [rows, heads, queries]."""
    if query.device.type == "cpu" and query.shape[-1] == value.shape[-1]:
        flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
        output, total = flash(query, key, value, 0.0, causal, attn_mask=mask, scale=scale)
        return output, total
    scores = query @ key.transpose(-1, -2) * scale
    if causal:
        hidden = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
        scores = scores.masked_fill(hidden, float("-inf"))
    if mask is not None:
        scores = scores + mask
    scores = scores.float()
    return scores.softmax(-1).to(value.dtype) @ value, scores.logsumexp(-1)


def _merge(first: torch.Tensor, sums: torch.Tensor, second: torch.Tensor, totals: torch.Tensor) -> torch.Tensor:
    wide = torch.promote_types(first.dtype, torch.float32)
    share = torch.sigmoid(totals.to(wide) - sums.to(wide))[..., None]
    return torch.lerp(first.to(wide), second.to(wide), share).to(first.dtype)


def _groups(spans: Sequence[Span]) -> list[_Group]:
    offsets, offset = [], 0
    for span in spans:
        offsets.append(offset)
        offset += span.count
    groups = []
    for at in range(0, len(spans), _BLOCK):
        block = range(at, min(at + _BLOCK, len(spans)))
        short = [i for i in block if spans[i].count <= _SHORT]
        if short:
            groups.append(_group(spans, offsets, range(short[0], short[-1] + 1), short))
        groups += [_group(spans, offsets, range(i, i + 1), [i]) for i in block if spans[i].count > _SHORT]
    if len(groups) == 1 and all(span.count == groups[0].width for span in spans):
        groups[0].take = groups[0].put = None
    return groups


def _group(spans: Sequence[Span], offsets: Sequence[int], rows: range, members: Sequence[int]) -> _Group:
    """A group over the slots of `rows`; only the results of `members` are used."""
    width = max(spans[i].count for i in members)
    length = max(spans[i].start + spans[i].count for i in members)
    last = offsets[-1] + spans[-1].count - 1
    take = [min(offsets[i] + j, last) for i in rows for j in range(width)]
    source = [(i - rows[0]) * width + j for i in members for j in range(spans[i].count)]
    target = [offsets[i] + j for i in members for j in range(spans[i].count)]
    return _Group(
        first=spans[rows[0]].slot,
        last=spans[rows[-1]].slot + 1,
        width=width,
        length=length,
        take=torch.tensor(take),
        put=(torch.tensor(source), torch.tensor(target)),
        starts=[spans[i].start for i in rows],
    )


def _by_prefix(spans: Sequence[Span]) -> list[tuple[SharedPrefix, torch.Tensor | None]]:
    found: dict[int, tuple[SharedPrefix, list[int]]] = {}
    offset = 0
    for span in spans:
        if span.prefix is not None:
            found.setdefault(id(span.prefix), (span.prefix, []))[1].extend(range(offset, offset + span.count))
        offset += span.count
    return [(prefix, torch.tensor(index) if len(index) < offset else None) for prefix, index in found.values()]
