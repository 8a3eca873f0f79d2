"""The key-value cache: a slot for each row, and the prefixes that rows share."""

from collections.abc import Iterable, Iterator, Sequence

import torch

Layers = dict[int, torch.Tensor]


class SharedPrefix:
    """The first tokens of several prompts, with each layer's keys and values: [1, heads, length, size]."""

    def __init__(self, tokens: Sequence[int], dtype: torch.dtype | None = None) -> None:
        self.tokens, self.dtype = list(tokens), dtype
        self.keys: Layers = {}
        self.values: Layers = {}
        self.used = 0  # the time of the last use, counted in requests
        self.computed = 0  # the number of computed tokens that no answer has been charged for yet

    @property
    def length(self) -> int:
        """The number of tokens."""
        return len(self.tokens)

    @property
    def bytes(self) -> int:
        """The memory of the keys and values, in bytes."""
        return sum(t.numel() * t.element_size() for layers in (self.keys, self.values) for t in layers.values())

    def layer(self, layer: int, key: torch.Tensor, value: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """A layer's keys and values, allocated at the first use in the shape of `key` and `value`."""
        if layer not in self.keys:
            self.keys[layer] = key.new_empty(1, key.shape[1], self.length, key.shape[3], dtype=self.dtype)
            self.values[layer] = value.new_empty(1, value.shape[1], self.length, value.shape[3], dtype=self.dtype)
        return self.keys[layer], self.values[layer]

    def copy_from(self, other: "SharedPrefix", count: int) -> None:
        """Copy the first `count` tokens from a prefix that begins with the same tokens."""
        for mine, theirs in ((self.keys, other.keys), (self.values, other.values)):
            for i, source in theirs.items():
                mine[i] = source.new_empty(1, source.shape[1], self.length, source.shape[3])
                mine[i][:, :, :count] = source[:, :, :count]


class Prefixes:
    """The kept prefixes, within `limit` bytes; the least recently used prefix is dropped first."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._kept: list[SharedPrefix] = []
        self._clock = 0

    def __iter__(self) -> Iterator[SharedPrefix]:
        return iter(self._kept)

    def find(self, tokens: Sequence[int]) -> SharedPrefix | None:
        """The longest kept prefix of `tokens` that is shorter than `tokens`, or None."""
        fitting = [p for p in self._kept if p.length < len(tokens) and p.tokens == tokens[: p.length]]
        best = max(fitting, key=lambda p: p.length, default=None)
        if best is not None:
            self._clock += 1
            best.used = self._clock
        return best

    def closest(self, tokens: Sequence[int]) -> tuple[SharedPrefix | None, int]:
        """The kept prefix that shares the most first tokens with `tokens`, and their number; (None, 0) if none does."""
        common = [(common_length(p.tokens, tokens), i) for i, p in enumerate(self._kept)]
        length, i = max(common, default=(0, -1))
        return (self._kept[i], length) if length else (None, 0)

    def make_room(self, length: int, busy: Iterable[SharedPrefix | None]) -> bool:
        """Drop prefixes, except the `busy` prefixes, until a prefix of `length` tokens fits.

        Returns False and drops nothing if it does not fit beside the busy prefixes. Without busy prefixes any length
        fits.
        """
        each = next((p.bytes / p.length for p in self._kept), 0)
        needed = {id(p) for p in busy}
        used = sum(p.bytes for p in self._kept if id(p) in needed)
        if used and used + length * each > self.limit:
            return False
        for old in sorted(self._kept, key=lambda p: p.used):
            if sum(p.bytes for p in self._kept) + length * each <= self.limit:
                break
            if id(old) not in needed:
                self._kept = [p for p in self._kept if p is not old]
        return True

    def keep(self, prefix: SharedPrefix) -> None:
        """Keep a prefix; call `make_room` first."""
        self._clock += 1
        prefix.used = self._clock
        self._kept.append(prefix)


class Slots:
    """The keys and values of rows: `count` slots of `length` tokens. The rows in use have the first slots.

    Memory is `count` x `length` tokens. A rejected token is not cleared, because tokens beyond a row's end are masked.
    """

    def __init__(self, count: int, length: int, dtype: torch.dtype | None = None) -> None:
        self.count, self.length, self.dtype = count, length, dtype
        self._keys: Layers = {}
        self._values: Layers = {}
        # The content of each slot: the tokens, and the prefix before them.
        self.held: list[tuple[SharedPrefix | None, list[int]]] = [(None, [])] * count

    def layer(self, layer: int, key: torch.Tensor, value: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """A layer's keys and values: [slots, heads, length, size], allocated at the first pass, which has the shape."""
        if layer not in self._keys:
            # Zeros: a masked score has weight 0, and 0 times uninitialized memory could be NaN.
            shape = self.count, key.shape[1], self.length
            self._keys[layer] = key.new_zeros(*shape, key.shape[3], dtype=self.dtype)
            self._values[layer] = value.new_zeros(*shape, value.shape[3], dtype=self.dtype)
        return self._keys[layer], self._values[layer]

    def copy(self, source: int, target: int, count: int) -> None:
        """Copy a slot's first `count` tokens to another slot."""
        for layers in (self._keys, self._values):
            for storage in layers.values():
                storage[target, :, :count] = storage[source, :, :count]
        base, own = self.held[source]
        self.held[target] = (base, own[:count])

    def forget(self, kept: Iterable[SharedPrefix]) -> None:
        """Forget the tokens after prefixes that are not in `kept`, so that the memory of the prefixes can be freed."""
        known = {id(None), *map(id, kept)}
        self.held = [(base, own) if id(base) in known else (None, []) for base, own in self.held]

    def lend(self, prefix: SharedPrefix) -> int:
        """Copy the first tokens of a new prefix from the slot that holds most of them. Returns their number."""
        found = [(self._common(slot, prefix), slot) for slot in range(self.count)] if self._keys else []
        common, slot = max(found, default=(0, 0))
        if not common:
            return 0
        base = self.held[slot][0]
        start = base.length if base else 0
        if base is not None:
            prefix.copy_from(base, start)
        for mine, theirs in ((prefix.keys, self._keys), (prefix.values, self._values)):
            for i, storage in theirs.items():
                if i not in mine:
                    mine[i] = storage.new_empty(1, storage.shape[1], prefix.length, storage.shape[3])
                mine[i][0, :, start:common] = storage[slot, :, : common - start]
        return common

    def _common(self, slot: int, prefix: SharedPrefix) -> int:
        base, own = self.held[slot]
        start = base.length if base else 0
        if base is not None and base.tokens != prefix.tokens[:start]:
            return 0
        common = common_length(own, prefix.tokens[start:])
        return start + common if common else 0

    def resized(self, count: int, length: int) -> "Slots":
        """Slots of another shape, with a copy of the content that fits."""
        fresh = Slots(count, length, self.dtype)
        rows, shared = min(count, self.count), min(length, self.length)
        for mine, theirs in ((fresh._keys, self._keys), (fresh._values, self._values)):
            for i in list(theirs):
                old = theirs.pop(i)  # free layer by layer, so that memory never holds two complete copies
                mine[i] = old.new_zeros(count, old.shape[1], length, old.shape[3])
                mine[i][:rows, :, :shared] = old[:rows, :, :shared]
        fresh.held[:rows] = [(base, own[:shared]) for base, own in self.held[:rows]]
        return fresh


def common_length(one: Sequence[int], other: Sequence[int]) -> int:
    """The length of the longest common prefix of two token sequences."""
    low, high = 0, min(len(one), len(other))
    while low < high:  # a bisection, because slices are compared faster than tokens one by one
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
