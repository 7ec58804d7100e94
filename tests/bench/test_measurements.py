"""Each measurement runs, at the smallest size that is one; none of its times is judged."""

from pathlib import Path

import pytest

from bench import (
    boundary,
    change,
    delay,
    large,
    loads,
    performance,
    poll,
    push,
    scale,
    startup,
    telemetry,
)
from bench.figures import Result
from bench.plot import plot
from bench.table import BEGIN, END, put_into, table

pytestmark = pytest.mark.usefixtures("socket_enabled")


def told(result: Result) -> str:
    """Return the table, every value of which must be there."""
    text = table(result.figures)
    assert "nan" not in text
    return text


async def test_every_boundary_is_written_and_compared_with_a_poller() -> None:
    delays = await delay.measure(windows=2, seconds=1.5, head_start=5)

    assert len(delays.ours) == 4
    assert all(0 <= late < 60 for late in delays.ours)
    assert all(0 <= late < delay.POLLER_PERIOD for late in delays.poller)
    assert "signal delay, p99, of 4 boundaries" in told(delays)


async def test_boundaries_are_written_while_telemetry_is_sent() -> None:
    result = await delay.measure_metered(windows=2, seconds=1.5, head_start=5, meters=2)

    assert len(result.delays.ours) == len(result.without.ours) == 4
    assert "signal delay with 2 meters, p99" in told(result)


async def test_an_unchanged_poll_does_nothing_else() -> None:
    result = await poll.measure(sizes=(1,), rounds=2)

    assert [each.idle_work for each in result.polls] == [0]
    assert "unchanged poll of 1 x 10" in told(result)


async def test_a_changed_poll_tells_the_one_change_both_ways() -> None:
    assert "1 of 2 x 10" in told(await change.measure((1, 2), rounds=2, polls=1))


async def test_large_answers_are_taken_in_while_a_clock_ticks() -> None:
    assert "block of the event loop, numbers" in told(await large.measure(size=5000))


async def test_as_many_sensors_are_set_up_bare_as_by_us() -> None:
    result = await scale.measure({1: 1, 2: 1}, weighed=2)

    assert [size.entities for size in result.sizes] == [21, 29]
    assert "set-up per entity, 2 sites" in told(result)


async def test_a_start_at_all_sites_is_written_and_others_are_answered() -> None:
    result = await boundary.measure(sites=2, rounds=1, head_start=5)

    assert len(result.last_on) == len(result.answers) == 1
    assert "a start at all of 2 sites" in told(result)


async def test_a_start_is_measured_in_a_process_of_its_own() -> None:
    assert "start, import" in told(await startup.measure(rounds=1))


def test_growth_that_is_linear_has_the_exponent_one() -> None:
    assert scale.exponent({1: 90, 100: 100, 1000: 1000}) == pytest.approx(1)


def test_the_report_is_put_between_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")

    put_into(page, "new")

    assert page.read_text() == f"before\n{BEGIN}\nnew\n{END}\nafter\n"


def test_the_plot_is_drawn(tmp_path: Path) -> None:
    sizes = tuple(scale.Size(n, 6 * n, n / 1e3, n / 2e3, n / 9e3) for n in (1, 9))

    plot(
        delay.Delays((0.001, 0.002), (1.0, 20.0)),
        scale.Scale(sizes, 1.0, 1.0),
        tmp_path / "plot.svg",
    )

    assert "polling every 30 s" in (tmp_path / "plot.svg").read_text()


async def test_all_loads_are_told() -> None:
    result = await loads.measure(loads=3, rounds=2)

    assert len(result.last_told) == 2
    assert "3 loads shed, until the last is told" in told(result)


async def test_the_telemetry_of_all_meters_is_sent() -> None:
    result = await telemetry.measure(meters=(1, 3), rounds=2)

    assert "telemetry of 3 meters, CPU per row" in told(result)


async def test_baselines_and_records_are_made() -> None:
    result = await performance.measure(sites=2, records=2)

    assert len(result.baselines) == 2
    assert "2 records, size" in told(result)


async def test_a_dispatch_that_is_published_without_notice_is_obeyed_by_push() -> None:
    result = await push.measure(accounts=1, each=1, flood=5)

    assert len(result.late) == 1
    assert "a flood of 5 calls" in told(result)
