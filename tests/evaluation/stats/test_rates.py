"""What the intervals and tests promise, held against 2,000 simulated experiments each."""

import numpy as np
import pytest
from numpy.typing import NDArray

from structout.evaluation.stats.pairs import bootstrap, difference, holm, mcnemar
from structout.evaluation.stats.rates import clustered, lower_bound, p_value, records_needed, upper_bound, wilson
from structout.evaluation.stats.sequences import confidence_sequence, log_capital, mean_at_least

EXPERIMENTS = 2000


@pytest.fixture
def draw() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"), [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0)]
)
def test_wilson_by_published_values(hits: int, n: int, low: float, high: float) -> None:
    rate = wilson(hits / n, n)
    assert rate.low == pytest.approx(low, abs=5e-5)
    assert rate.high == pytest.approx(high, abs=5e-5)


def test_nothing_observed_is_nothing_known() -> None:
    for rate in (wilson(0.0, 0), clustered([], []), clustered([0.0], [0])):
        assert (rate.low, rate.high, rate.lower, rate.upper, rate.n) == (0.0, 1.0, 0.0, 1.0, 0)
    assert bootstrap([]) == bootstrap([1.0]) == (-1.0, 1.0)
    assert (confidence_sequence([]), mean_at_least([])) == ([], 0.0)


@pytest.mark.parametrize("n", [24, 75, 300])
def test_wilson_covers(n: int, draw: np.random.Generator) -> None:
    """Over shares of all sizes: at a single share any interval for counts is now a little above, now below."""
    truths = draw.uniform(0.02, 0.98, EXPERIMENTS)
    rates = [wilson(hits / n, n) for hits in draw.binomial(n, truths)]
    assert _share(rate.low <= truth <= rate.high for rate, truth in zip(rates, truths, strict=True)) >= 0.94


@pytest.mark.parametrize("truth", [0.05, 0.5, 0.9, 0.99])
def test_the_bounds_to_decide_by_hold_at_every_share(truth: float, draw: np.random.Generator) -> None:
    rates = [wilson(hits / 75, 75) for hits in draw.binomial(75, truth, EXPERIMENTS)]
    assert _share(rate.lower <= truth for rate in rates) >= 0.95 - 0.005
    assert _share(truth <= rate.upper for rate in rates) >= 0.95 - 0.005


@pytest.mark.parametrize("records", [20, 60])
@pytest.mark.parametrize("truth", [0.5, 0.9, 0.97])
@pytest.mark.parametrize("alike", [0.1, 0.5, 0.9])
def test_clustered_covers(records: int, truth: float, alike: float, draw: np.random.Generator) -> None:
    hits = _repeated(draw, truth, alike, (EXPERIMENTS, records), 5)
    rates = [clustered(list(row), [5] * records) for row in hits]
    assert _share(rate.low <= truth <= rate.high for rate in rates) >= 0.94
    assert _share(rate.lower <= truth for rate in rates) >= 0.94


def test_records_of_several_sizes_count_by_their_size(draw: np.random.Generator) -> None:
    sizes = draw.integers(1, 20, 60)
    covered = []
    for _ in range(EXPERIMENTS):
        rate = clustered(list(draw.binomial(sizes, draw.beta(4, 1, 60))), list(sizes))
        covered.append(rate.low <= 0.8 <= rate.high)
    assert _share(covered) >= 0.94


def test_clustering_costs_precision_and_never_more_than_there_is() -> None:
    one_piece = clustered([5, 0, 5, 5, 0, 5], [5] * 6)
    assert one_piece.effective == pytest.approx(6)
    assert (one_piece.low, one_piece.high) == (wilson(4 / 6, 6).low, wilson(4 / 6, 6).high)
    scattered = clustered([3, 2] * 50, [5] * 100)
    assert 100 < scattered.effective <= 500
    assert clustered([1, 0, 1], [1, 1, 1]) == wilson(2 / 3, 3)


@pytest.mark.parametrize(("records", "won", "lost"), [(30, 0.3, 0.1), (60, 0.1, 0.1), (150, 0.02, 0.02)])
def test_the_paired_interval_covers(records: int, won: float, lost: float, draw: np.random.Generator) -> None:
    apart = draw.choice([1.0, -1.0, 0.0], (EXPERIMENTS, records), p=[won, lost, 1 - won - lost])
    intervals = [bootstrap(row, seed) for seed, row in enumerate(apart)]
    assert _share(low <= won - lost <= high for low, high in intervals) >= 0.94


def test_the_paired_interval_covers_with_repeats(draw: np.random.Generator) -> None:
    one = _repeated(draw, 0.8, 0.5, (EXPERIMENTS, 40), 3) / 3
    other = _repeated(draw, 0.7, 0.5, (EXPERIMENTS, 40), 3) / 3
    intervals = [bootstrap(row, seed) for seed, row in enumerate(one - other)]
    assert _share(low <= 0.1 <= high for low, high in intervals) >= 0.94


@pytest.mark.parametrize("differ", [0.05, 0.2, 0.6])
def test_the_pair_test_is_seldom_wrong(differ: float, draw: np.random.Generator) -> None:
    apart = draw.choice([1, -1, 0], (EXPERIMENTS, 100), p=[differ / 2, differ / 2, 1 - differ])
    won, lost = (apart > 0).sum(axis=1), (apart < 0).sum(axis=1)
    assert _share(mcnemar(a, b) <= 0.05 for a, b in zip(won, lost, strict=True)) <= 0.055


def test_many_pairs_are_corrected_for(draw: np.random.Generator) -> None:
    assert holm([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.09, 0.09, 0.5])
    wrong = [min(holm(list(draw.uniform(size=15)))) <= 0.05 for _ in range(EXPERIMENTS)]
    assert _share(wrong) <= 0.05 + 0.012  # exactly 5 %: two and a half standard errors of 2,000 experiments


def test_mcnemar_by_published_values() -> None:
    assert mcnemar(0, 6) == pytest.approx(0.03125)
    assert mcnemar(5, 5) == 1.0
    assert mcnemar(0, 0) == 1.0
    found = difference([1, 1, 0.5, 0], [0, 1, 1, 0])
    assert (found.won, found.lost, found.n, found.value) == (1, 1, 4, 0.125)
    assert found.low < 0 < found.high


@pytest.mark.parametrize("truth", [0.5, 0.9, 0.97])
def test_the_sequence_holds_at_every_number_of_records(truth: float, draw: np.random.Generator) -> None:
    values = (draw.random((EXPERIMENTS, 300)) < truth).astype(float)
    assert _share((log_capital(values, truth) >= np.log(20)).any(axis=1)) <= 0.05
    assert _share((log_capital(values, truth, hedge=1.0) >= np.log(20)).any(axis=1)) <= 0.05


def test_the_sequence_narrows_and_is_wider_than_a_single_look() -> None:
    values = [1.0, 0.0, 1.0, 1.0] * 100
    intervals = confidence_sequence(values)
    widths = [high - low for low, high in intervals]
    assert widths == sorted(widths, reverse=True)
    assert intervals[-1][0] < 0.75 < intervals[-1][1]
    single = wilson(0.75, 400)
    assert single.high - single.low < widths[-1] < 2 * (single.high - single.low)
    assert 0.6 < mean_at_least(values) < lower_bound(300, 400) < 0.75


def test_the_number_of_records_that_show_a_target() -> None:
    assert [records_needed(target) for target in (0.99, 0.999, 0.9999)] == [299, 2995, 29956]
    assert records_needed(0.9, share=0.9) is None
    assert records_needed(1.0) is None
    needed = records_needed(0.9, share=0.95)
    assert needed is not None
    for n in range(needed, needed + 200):
        assert lower_bound(int(0.95 * n), n) >= 0.9
    assert lower_bound(int(0.95 * (needed - 1)), needed - 1) < 0.9


def test_bounds_and_tests_are_two_views_of_one_thing() -> None:
    assert p_value(299, 299, 0.99) == pytest.approx(0.0495, abs=1e-4)
    assert lower_bound(299, 299) > 0.99 > lower_bound(298, 298)
    assert upper_bound(0, 299) == pytest.approx(1 - lower_bound(299, 299))
    assert p_value(0, 10, 0.5) == 1.0


def _share(of: object) -> float:
    return float(np.mean(list(of)))  # type: ignore[call-overload]


def _repeated(
    draw: np.random.Generator, truth: float, alike: float, shape: tuple[int, int], repeats: int
) -> NDArray[np.int64]:
    """How often each record was right in so many repeats: beta-binomial, `alike` within a record."""
    weight = (1 - alike) / alike
    return draw.binomial(repeats, draw.beta(truth * weight, (1 - truth) * weight, shape))
