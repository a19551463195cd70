"""Schedules against closed forms in 40-digit arithmetic, published constants and the formulas of the papers."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal, getcontext
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Refusal
from core.levels import CLEAN
from core.requests import ScheduleName, ScheduleSpec
from core.schedules import Schedule, check_prediction, make_schedule, monotone_cubic

getcontext().prec = 40

# t: beta, alpha_bar, beta_tilde, coefficient of x_0, coefficient of x_t, log SNR
LINEAR = {
    0: (1e-4, 0.9999, 0, 1, 0, 9.210240),
    1: (1.1991992e-4, 0.999780092, 5.45318766e-5, 0.5452915, 0.454708499, 8.422082),
    249: (5.06006006e-3, 0.524085374, 5.03172087e-3, 0.00771665718, 0.991880385, 0.096416),
    499: (0.01004004, 0.0785872429, 0.0100313554, 0.00307007111, 0.99410667, -2.461699),
    749: (0.01502002, 0.00335055044, 0.01501925, 8.78966774e-4, 0.992410698, -5.695274),
    999: (0.02, 4.03582977e-5, 0.0199999835, 1.28351487e-4, 0.989948678, -10.117673),
}
COSINE = {
    0: (4.12842248e-5, 0.999958716, 0, 1, 0, 10.094989),
    499: (3.14588623e-3, 0.49384359, 3.1361999e-3, 0.00437458823, 0.995351619, -0.024627),
    998: (0.749999393, 2.42876691e-6, 0.749993928, 0.00233767619, 0.499996964, -12.928124),
    999: (0.999, 2.42876691e-9, 0.998997576, 0.00155689172, 0.0316226999, -19.835882),
}
TABLES = ("betas", "alpha_bar", "beta_tilde", "posterior_mean_x0", "posterior_mean_x_t", "log_snr")


def exact_linear_betas(T: int) -> list[Decimal]:
    start, end = Decimal("0.1") / T, Decimal(20) / T
    return [start + (end - start) * t / (T - 1) for t in range(T)]


def exact_cosine_betas(T: int) -> list[Decimal]:
    def alpha_bar(i: int) -> Decimal:
        return _cos((Decimal(i) / T + Decimal("0.008")) / Decimal("1.008") * PI / 2) ** 2

    return [min(1 - alpha_bar(t + 1) / alpha_bar(t), Decimal("0.999")) for t in range(T)]


def exact_sigmoid_betas(T: int) -> list[Decimal]:
    def curve(u: Decimal) -> Decimal:
        return 1 / (1 + (3 - 6 * u).exp())

    def alpha_bar(i: int) -> Decimal:
        one = Decimal(1)
        return (curve(one) - curve(Decimal(i) / T)) / (curve(one) - curve(0 * one))

    return [min(1 - alpha_bar(t + 1) / alpha_bar(t), Decimal("0.999")) for t in range(T)]


PI = Decimal("3.141592653589793238462643383279502884197")


def _cos(x: Decimal) -> Decimal:
    """Taylor's series."""
    term = total = Decimal(1)
    n = 0
    while abs(term) > Decimal(10) ** -38:
        n += 2
        term = -term * x * x / (n * (n - 1))
        total += term
    return total


def exact_tables(betas: list[Decimal]) -> dict[str, list[float]]:
    tables: dict[str, list[float]] = {name: [] for name in TABLES}
    previous = Decimal(1)
    for beta in betas:
        alpha_bar = previous * (1 - beta)
        noise = 1 - alpha_bar
        row = (
            beta,
            alpha_bar,
            beta * (1 - previous) / noise,
            beta * previous.sqrt() / noise,
            (1 - previous) * (1 - beta).sqrt() / noise,
            (alpha_bar / noise).ln(),
        )
        for name, value in zip(TABLES, row, strict=True):
            tables[name].append(float(value))
        previous = alpha_bar
    return tables


@pytest.mark.parametrize(("name", "constants"), [("linear", LINEAR), ("cosine", COSINE)])
def test_that_tables_hold_the_published_constants(name: ScheduleName, constants: dict[int, tuple[float, ...]]) -> None:
    schedule = make_schedule(ScheduleSpec(name))
    for t, row in constants.items():
        for table, expected in zip(TABLES, row, strict=True):
            digits = {"abs": 6e-7} if table == "log_snr" else {"rel": 1e-8}
            assert getattr(schedule, table)[t] == pytest.approx(expected, **digits), (table, t)


@pytest.mark.parametrize(
    ("name", "betas"),
    [
        ("linear", exact_linear_betas(1000)),
        ("cosine", exact_cosine_betas(1000)),
        ("cosine", exact_cosine_betas(300)),
        ("sigmoid_alpha_bar", exact_sigmoid_betas(1000)),
    ],
)
def test_that_tables_agree_with_40_digit_arithmetic_to_1e_9(name: ScheduleName, betas: list[Decimal]) -> None:
    schedule = make_schedule(ScheduleSpec(name, T=len(betas)))
    for table, expected in exact_tables(betas).items():
        # Where the logarithm of the SNR crosses zero a relative error means nothing.
        np.testing.assert_allclose(getattr(schedule, table), expected, rtol=1e-9, atol=1e-12, err_msg=table)


def test_that_the_log_of_beta_tilde_is_clipped_at_its_second_entry() -> None:
    linear, cosine = make_schedule(ScheduleSpec()), make_schedule(ScheduleSpec("cosine"))
    assert linear.log_beta_tilde_clipped[0] == pytest.approx(-9.81672514, rel=1e-8)
    assert cosine.log_beta_tilde_clipped[0] == pytest.approx(-10.7340825, rel=1e-8)
    assert linear.log_beta_tilde_clipped[0] == linear.log_beta_tilde_clipped[1]
    assert linear.log_beta_tilde_clipped[999] == pytest.approx(math.log(0.0199999835), rel=1e-8)


def test_that_linear_betas_are_scaled_for_other_T() -> None:
    betas = make_schedule(ScheduleSpec(T=4000)).betas
    assert betas[0] == pytest.approx(2.5e-5, rel=1e-12)
    assert betas[-1] == pytest.approx(0.005, rel=1e-12)
    assert len(betas) == 4000


def test_that_given_betas_are_taken_as_given() -> None:
    betas = make_schedule(ScheduleSpec(T=100, beta_start=0.01, beta_end=0.02)).betas
    assert (betas[0], betas[-1]) == (0.01, 0.02)
    assert betas[1] - betas[0] == pytest.approx(0.01 / 99)
    only_end = make_schedule(ScheduleSpec(T=2000, beta_end=0.03)).betas
    assert (only_end[0], only_end[-1]) == (pytest.approx(5e-5), 0.03)


@pytest.mark.parametrize("T", [1, 5, 10, 20])
def test_that_a_T_where_beta_reaches_one_is_refused(T: int) -> None:
    with pytest.raises(Refusal, match=f"With {T} timesteps beta reaches"):
        make_schedule(ScheduleSpec(T=T))


def test_that_the_smallest_possible_T_of_the_linear_schedule_works() -> None:
    assert make_schedule(ScheduleSpec(T=21)).betas[-1] == pytest.approx(20 / 21)


@pytest.mark.parametrize(("T", "beta_0", "last"), [(1000, 4.1284e-5, 2.43e-9), (4000, 9.866e-6, 1.52e-10)])
def test_that_only_the_last_cosine_beta_is_clipped(T: int, beta_0: float, last: float) -> None:
    schedule = make_schedule(ScheduleSpec("cosine", T=T))
    assert schedule.betas[-1] == 0.999
    assert (schedule.betas[:-1] < 0.99).all()
    assert schedule.betas[0] == pytest.approx(beta_0, rel=1e-4)
    assert schedule.alpha_bar[-1] == pytest.approx(last, rel=2e-3)


def test_that_quadratic_betas_are_linear_in_their_roots() -> None:
    betas = make_schedule(ScheduleSpec("quadratic")).betas
    assert (betas[0], betas[-1]) == (pytest.approx(1e-4), pytest.approx(0.02))
    third = 1e-4**0.5 + (0.02**0.5 - 1e-4**0.5) * 333 / 999
    assert betas[333] == pytest.approx(third**2, rel=1e-12)


def test_that_sigmoid_betas_follow_the_logistic_curve() -> None:
    betas = make_schedule(ScheduleSpec("sigmoid", T=1001)).betas
    assert betas[500] == pytest.approx((1e-4 + 0.02) / 2)
    assert betas[0] == pytest.approx(1e-4 + 0.0199 / (1 + math.exp(6)))
    assert betas[750] == pytest.approx(1e-4 + 0.0199 / (1 + math.exp(-3)))


def test_that_alpha_bar_follows_a_logistic_curve_from_one_to_nothing() -> None:
    schedule = make_schedule(ScheduleSpec("sigmoid_alpha_bar"))
    for share in (0.1, 0.25, 0.5, 0.9):  # which is a hyperbolic tangent, mirrored about its middle
        expected = 0.5 - math.tanh(3 * share - 1.5) / (2 * math.tanh(1.5))
        assert schedule.alpha_bar[round(1000 * share) - 1] == pytest.approx(expected, rel=1e-10)
    assert schedule.betas[-1] == 0.999


def test_that_constant_betas_decay_geometrically() -> None:
    schedule = make_schedule(ScheduleSpec("constant", beta_end=0.01))
    assert schedule.alpha_bar[499] == pytest.approx(0.99**500, rel=1e-12)
    assert make_schedule(ScheduleSpec("constant")).betas[3] == 0.02
    assert make_schedule(ScheduleSpec("constant", beta_start=0.03)).betas[3] == 0.03


def test_that_explicit_betas_are_used_and_must_be_T_many() -> None:
    schedule = make_schedule(ScheduleSpec("betas", T=3, betas=(0.1, 0.2, 0.5)))
    np.testing.assert_allclose(schedule.alpha_bar, [0.9, 0.72, 0.36], rtol=1e-12)
    np.testing.assert_allclose(schedule.alpha_bar_prev, [1, 0.9, 0.72], rtol=1e-12)
    np.testing.assert_allclose(schedule.snr, [9, 0.72 / 0.28, 0.5625], rtol=1e-12)
    np.testing.assert_allclose(schedule.alphas, [0.9, 0.8, 0.5], rtol=1e-12)
    with pytest.raises(Refusal, match="3 betas for 1000 timesteps"):
        make_schedule(ScheduleSpec("betas", betas=(0.1, 0.2, 0.5)))


@pytest.mark.parametrize(
    "spec",
    [
        ScheduleSpec("betas", T=2, betas=(0.1, 1.0)),
        ScheduleSpec("betas", T=2, betas=(0.0, 0.1)),
        ScheduleSpec("betas", T=2, betas=(0.1, -0.1)),
        ScheduleSpec("betas", T=2, betas=(0.1, math.nan)),
        ScheduleSpec("betas", T=0),
        ScheduleSpec(T=0),
        ScheduleSpec(T=100_000),
        ScheduleSpec(beta_end=math.inf),
        ScheduleSpec("quadratic", beta_start=-1.0),
        ScheduleSpec("constant", beta_end=0.999, T=1000),
        ScheduleSpec("drawn"),
        ScheduleSpec("drawn", points=((0, 0.9), (0.5, 0.95), (1, 0.1))),
        ScheduleSpec("drawn", points=((0, 0.9), (0.5, 0.9), (1, 0.1))),
        ScheduleSpec("drawn", points=((0, 1.0), (1, 0.1))),
        ScheduleSpec("drawn", points=((0, 0.9), (1, 0.0))),
        ScheduleSpec("drawn", points=((0.1, 0.9), (1, 0.1))),
        ScheduleSpec("drawn", points=((0, 0.9), (0.9, 0.1))),
        ScheduleSpec("drawn", points=((0, 0.9), (0.7, 0.5), (0.6, 0.4), (1, 0.1))),
        ScheduleSpec("drawn", points=((0, 0.9), (math.nan, 0.5), (1, 0.1))),
        ScheduleSpec("drawn", points=((0, 0.9), (0.5, math.nan), (1, 0.1))),
    ],
)
def test_that_what_is_no_schedule_is_refused(spec: ScheduleSpec) -> None:
    with pytest.raises(Refusal, match=r"\w+ \w+"):
        make_schedule(spec)


def test_that_a_drawn_schedule_passes_through_its_points() -> None:
    points = ((0.0, 0.9999), (0.25, 0.8), (0.5, 0.3), (1.0, 0.0001))
    schedule = make_schedule(ScheduleSpec("drawn", T=1001, points=points))
    for u, alpha_bar in points:
        assert schedule.alpha_bar[round(u * 1000)] == pytest.approx(alpha_bar, rel=1e-9)


@given(
    st.lists(st.floats(0.001, 0.999), min_size=2, max_size=9, unique=True),
    st.lists(st.floats(0.01, 0.99), min_size=0, max_size=7, unique=True),
    st.integers(2, 300),
)
def test_that_every_falling_drawing_makes_a_falling_alpha_bar(heights: list[float], inner: list[float], T: int) -> None:
    u = [0.0, *sorted(inner), 1.0][-len(heights) :]
    u[0], u[-1] = 0.0, 1.0
    heights = sorted(heights, reverse=True)[: len(u)]
    if len(u) != len(heights) or min(a - b for a, b in pairwise(heights)) < 1e-6:
        return
    schedule = make_schedule(ScheduleSpec("drawn", T=T, points=tuple(zip(u, heights, strict=True))))
    assert (np.diff(schedule.alpha_bar) < 0).all()
    assert schedule.alpha_bar[0] == pytest.approx(heights[0])
    assert schedule.alpha_bar[-1] == pytest.approx(heights[-1])


def test_that_the_cubic_agrees_with_scipys() -> None:
    interpolate = pytest.importorskip("scipy.interpolate")
    random = np.random.default_rng(0)
    for n in (2, 3, 8):
        x, y = np.sort(random.random(n)), random.normal(size=n)
        at = np.linspace(x[0], x[-1], 101)
        np.testing.assert_allclose(monotone_cubic(x, y, at), interpolate.PchipInterpolator(x, y)(at), atol=1e-12)


def test_that_the_cubic_reproduces_a_line_and_stays_flat_at_a_peak() -> None:
    x = np.array([0.0, 0.3, 1.0])
    np.testing.assert_allclose(monotone_cubic(x, 2 * x + 1, np.array([0.1, 0.5])), [1.2, 2.0])
    assert monotone_cubic(x, np.array([0.0, 1.0, 0.0]), np.linspace(0, 1, 101)).max() <= 1.0


def test_that_tables_are_float64_of_length_T_and_cannot_be_changed() -> None:
    schedule = make_schedule(ScheduleSpec(T=50))
    for name in (*TABLES, "alphas", "alpha_bar_prev", "snr", "log_beta_tilde_clipped"):
        table = getattr(schedule, name)
        assert table.dtype == np.float64
        assert table.shape == (50,)
        with pytest.raises(ValueError, match="read-only"):
            table[0] = 1


def test_that_levels_carry_the_tables_and_minus_one_is_the_data() -> None:
    schedule = make_schedule(ScheduleSpec())
    level = schedule.level(499)
    assert (level.t, level.alpha_bar) == (499, pytest.approx(0.0785872429, rel=1e-8))
    assert level.alpha**2 + level.sigma**2 == pytest.approx(1, rel=1e-14)
    assert level.log_snr == pytest.approx(-2.461699, abs=1e-6)
    assert schedule.level(-1) is CLEAN
    for t in (-2, 1000):
        with pytest.raises(Refusal, match="0 to 999"):
            schedule.level(t)


@pytest.mark.parametrize(
    ("t", "t_prev", "variance"), [(420, 400, 0.14771), (980, 960, 0.32460), (487, 486, 0.00979), (999, 998, 0.02)]
)
def test_that_ddims_sigma_is_the_published_one(t: int, t_prev: int, variance: float) -> None:
    schedule = make_schedule(ScheduleSpec())
    assert schedule.sigma(t, t_prev, 1.0) ** 2 == pytest.approx(variance, abs=1e-5)
    assert schedule.sigma(t, t_prev, 0.5) == pytest.approx(0.5 * schedule.sigma(t, t_prev, 1.0))


def test_that_sigma_of_one_step_is_the_root_of_beta_tilde() -> None:
    schedule = make_schedule(ScheduleSpec("cosine", T=60))
    for t in range(60):
        assert schedule.sigma(t, t - 1, 1.0) ** 2 == pytest.approx(schedule.beta_tilde[t], rel=1e-9)
    with pytest.raises(ValueError, match="below"):
        schedule.sigma(3, 3, 1.0)


@pytest.mark.parametrize(("mean_square", "bits"), [(0.25, 7.3e-6), (1.0, 2.9e-5)])
def test_that_the_prior_term_is_the_papers(mean_square: float, bits: float) -> None:
    assert make_schedule(ScheduleSpec()).prior_kl(mean_square) == pytest.approx(bits, rel=0.01)


def test_that_the_prior_term_is_a_gaussian_divergence() -> None:
    """KL(N(m, s^2) || N(0, 1)) by quadrature, for a single datum x_0 = 0.6."""
    schedule = Schedule(ScheduleSpec(), np.full(5, 0.3))
    mean, std = math.sqrt(0.7**5) * 0.6, math.sqrt(1 - 0.7**5)
    x = np.linspace(mean - 12 * std, mean + 12 * std, 20001)
    density = np.exp(-0.5 * ((x - mean) / std) ** 2) / (std * math.sqrt(2 * math.pi))
    log_ratio = -0.5 * ((x - mean) / std) ** 2 - math.log(std) + 0.5 * x**2
    expected = np.trapezoid(density * log_ratio, x) / math.log(2)
    assert schedule.prior_kl(0.36) == pytest.approx(expected, rel=1e-9)


# ------------------------------------------------------------------------------------------------ zero terminal SNR

RESCALED = [
    ScheduleSpec("linear", zero_snr=True),
    ScheduleSpec("cosine", 4000, zero_snr=True),
    ScheduleSpec("sigmoid", 100, 1e-3, 0.1, zero_snr=True),
    ScheduleSpec("betas", 2, betas=(0.1, 0.2), zero_snr=True),
]


@pytest.mark.parametrize("spec", RESCALED, ids=lambda spec: f"{spec.name}-{spec.T}")
def test_that_rescaling_moves_the_signal_linearly_from_its_first_value_to_zero(spec: ScheduleSpec) -> None:
    before, after = make_schedule(replace(spec, zero_snr=False)), make_schedule(spec)
    root, moved = np.sqrt(before.alpha_bar), np.sqrt(after.alpha_bar)
    # Lin et al. 2024, algorithm 1: a shift and a scale of sqrt(alpha_bar) that keep the first and end at 0.
    expected = root[0] * (root - root[-1]) / (root[0] - root[-1])
    np.testing.assert_allclose(moved, expected, rtol=1e-9, atol=1e-15)
    assert after.alpha_bar[-1] == 0


@pytest.mark.parametrize("spec", RESCALED, ids=lambda spec: f"{spec.name}-{spec.T}")
def test_that_only_the_last_log_snr_of_a_rescaled_schedule_is_infinite(spec: ScheduleSpec) -> None:
    schedule = make_schedule(spec)
    tables = ("betas", "alphas", "alpha_bar", "alpha_bar_prev", "snr", "beta_tilde", "log_beta_tilde_clipped",
              "posterior_mean_x0", "posterior_mean_x_t")  # fmt: skip
    for name in tables:
        assert np.isfinite(getattr(schedule, name)).all(), name
    assert np.isfinite(schedule.log_snr[:-1]).all()
    assert schedule.log_snr[-1] == -math.inf
    assert (schedule.betas[-1], schedule.snr[-1]) == (1, 0)
    level = schedule.level(schedule.T - 1)
    assert (level.alpha, level.sigma, level.log_snr) == (0, 1, -math.inf)
    assert schedule.prior_kl(0.3) == 0
    assert schedule.sigma(schedule.T - 1, 0, 1.0) == pytest.approx(schedule.level(0).sigma)
    # At the top x_t says nothing: the posterior is q(x_{T-2} | x_0).
    assert schedule.posterior_mean_x_t[-1] == 0
    assert schedule.posterior_mean_x0[-1] == pytest.approx(math.sqrt(schedule.alpha_bar[-2]))


def test_that_rescaled_betas_agree_with_diffusers() -> None:
    ddim = pytest.importorskip("diffusers.schedulers.scheduling_ddim")
    torch = pytest.importorskip("torch")
    theirs = ddim.rescale_zero_terminal_snr(torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64))
    np.testing.assert_allclose(make_schedule(ScheduleSpec(zero_snr=True)).betas, theirs.numpy(), rtol=1e-9)


def test_that_without_any_signal_only_predictions_that_say_something_are_allowed() -> None:
    spec = ScheduleSpec(zero_snr=True)
    for kind in ("x0", "v", "mean"):
        check_prediction(spec, kind)
    with pytest.raises(Refusal, match="predict v"):
        check_prediction(spec, "eps")
    check_prediction(ScheduleSpec(), "eps")
    with pytest.raises(Refusal, match="two timesteps"):
        make_schedule(ScheduleSpec("cosine", 1, zero_snr=True))
    with pytest.raises(Refusal, match="below 1"):
        make_schedule(ScheduleSpec("betas", 3, betas=(0.1, 1.0, 0.2), zero_snr=True))
