"""What `GET /telemetry/kw` gives: what was posted, else a load that is made up."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import cos, tau
from zlib import crc32

from .scenario import Scenario, find
from .wire import RequestError, Wire, as_list, as_object, is_number, parse_time, rfc3339

INTERVALS = (30, 60, 300, 900, 1800, 3600, 21600)
GRID = timedelta(seconds=30)
MOST_SITES = 10
MOST_POINTS = 10_000
LONGEST = timedelta(days=90)
PEAK = timedelta(hours=22)
"""When a made-up load is highest, in UTC: the afternoon in California."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_QUERY = {"start_time", "end_time", "interval_seconds", "site_id"}


@dataclass(frozen=True, slots=True)
class Asked:
    """Of which sites which intervals are asked for: those that end in (start, end]."""

    sites: Sequence[Wire]
    start: datetime
    end: datetime
    interval: timedelta

    def ends(self) -> Iterator[datetime]:
        """Yield the end of each interval; they lie on a grid since the epoch."""
        end = self.start - (self.start - _EPOCH) % self.interval + self.interval
        while end <= self.end:
            yield end
            end += self.interval


@dataclass(frozen=True, slots=True)
class Curtailed:
    """When a site was asked to lower its load by so many kW; it is taken to do so at once."""

    site_id: str
    start: datetime
    end: datetime
    kw: float


def parse_asked(query: Sequence[tuple[str, str]], sites: Sequence[Wire]) -> Asked:
    """Read a query as strictly as Voltus does. Raises RequestError."""
    values = dict(query)
    if unknown := values.keys() - _QUERY:
        raise RequestError(f"unknown: {', '.join(sorted(unknown))}")
    start = _time(values, "start_time", None)
    end = _time(values, "end_time", start + _DAY)
    seconds = values.get("interval_seconds", "30")
    if seconds not in map(str, INTERVALS):
        raise RequestError(f"interval_seconds may not be {seconds!r}")
    named = [value for name, value in query if name == "site_id"]
    asked = Asked(_named(named, sites), start, end, timedelta(seconds=int(seconds)))
    _check_limits(asked)
    return asked


def _time(values: Mapping[str, str], name: str, default: datetime | None) -> datetime:
    if default is not None and name not in values:
        return default
    try:
        time = parse_time(values.get(name)).astimezone(UTC)
    except ValueError:
        raise RequestError(f"{name} may not be {values.get(name)!r}") from None
    if (time - _EPOCH) % GRID:
        raise RequestError(f"{name} must be a multiple of 30 seconds")
    return time


def _named(named: Sequence[str], sites: Sequence[Wire]) -> list[Wire]:
    if not 0 < len(named) <= MOST_SITES:
        raise RequestError(f"site_id must be given once to {MOST_SITES} times")
    known = {site["id"]: site for site in sites}
    for site_id in named:
        if site_id not in known:
            raise RequestError(f"no site {site_id}", 404)
    return [known[site_id] for site_id in dict.fromkeys(named)]


def _check_limits(asked: Asked) -> None:
    if not timedelta(0) < asked.end - asked.start <= LONGEST:
        raise RequestError("end_time must be after start_time, by 90 days at most")
    points = (asked.end - asked.start) // asked.interval
    most = max(len(_meters(site)) for site in asked.sites)
    if points * most > MOST_POINTS:
        raise RequestError(f"no more than {MOST_POINTS} points of a site at once", 413)


def _meters(site: Wire) -> list[Wire]:
    if not site.get("meters"):
        return []
    return [as_object(each, "a meter") for each in as_list(site["meters"], "meters")]


def curtailments(scenario: Scenario, now: datetime) -> list[Curtailed]:
    """Return what a scenario asks of sites, as it is known at `now`."""
    shown = (find(scenario, dispatch_id, now) for dispatch_id in scenario)
    return [
        Curtailed(
            str(site["id"]),
            parse_time(dispatch["start_time"]),
            parse_time(dispatch["end_time"]) if dispatch.get("end_time") else now,
            kw,
        )
        for dispatch in shown
        if dispatch and dispatch["authorized"]
        for site in map(_site, as_list(dispatch["sites"], "sites"))
        if isinstance(kw := site.get("commitment"), int | float) and is_number(kw)
    ]


def _site(value: object) -> Wire:
    return as_object(value, "a site")


def load(
    asked: Asked, rows: Iterable[Wire], curtailed: Sequence[Curtailed], now: datetime
) -> list[Wire]:
    """Return the load of sites, as Voltus writes it; what is not known has no value.

    The second half of the rows of a meter stands in an entry of its own: so it is in
    Voltus' own example.
    """
    posted: dict[object, list[Wire]] = {}
    for row in rows:
        if row["units"] == "kW":
            posted.setdefault(row["meter_id"], []).append(row)
    return [
        {
            "site_id": site["id"],
            "meters": [
                {"meter_id": meter_id, "telemetry": half}
                for meter_id, values in _values(asked, site, posted, curtailed, now)
                for half in _halves(_written(asked, values))
            ],
        }
        for site in asked.sites
    ]


def _values(
    asked: Asked,
    site: Wire,
    posted: Mapping[object, Sequence[Wire]],
    curtailed: Sequence[Curtailed],
    now: datetime,
) -> Iterator[tuple[object, Mapping[datetime, float]]]:
    """Yield the mean of each interval that is known, by meter."""
    meters = _meters(site)
    sent = any(meter["id"] in posted for meter in meters)
    mine = [each for each in curtailed if each.site_id == site["id"] and not sent]
    for meter in meters:
        # What the site lowers is lowered once, whatever the number of its meters.
        lowered, mine = (mine, []) if meter["asset_type"] == "load" else ([], mine)
        rows = posted.get(meter["id"], ())
        first = min((_row(row) for row in rows), default=None)
        made_up = {
            end: round(_made_up(meter, end, asked.interval, lowered), 3)
            for end in asked.ends()
            if end <= (first[0] - first[1] if first else now)
        }
        if first:
            # As high as what was sent first: the days before are to look like it.
            end, length, value = first
            fit = value / (_made_up(meter, end, length, []) or 1)
            made_up = {at: round(fit * kw, 3) for at, kw in made_up.items()}
        yield meter["id"], made_up | _aggregated(asked, rows)


def _aggregated(asked: Asked, rows: Iterable[Wire]) -> dict[datetime, float]:
    """Return the mean over time of what was posted, where anything was."""
    sums: dict[datetime, tuple[float, float]] = {}
    for row in rows:
        until, seconds, value = _row(row)
        end = until - seconds
        while end < until:
            end = end - (end - _EPOCH) % asked.interval + asked.interval
            part = (
                min(until, end) - max(until - seconds, end - asked.interval)
            ) / seconds
            known, share = sums.get(end, (0.0, 0.0))
            weight = part * seconds.total_seconds()
            sums[end] = known + value * weight, share + weight
    return {end: known / share for end, (known, share) in sums.items()}


def _row(row: Wire) -> tuple[datetime, timedelta, float]:
    seconds, value = row["interval_seconds"], row["value"]
    assert isinstance(seconds, int)
    assert isinstance(value, int | float)
    return parse_time(row["timestamp"]), timedelta(seconds=seconds), value


def _made_up(
    meter: Wire, end: datetime, interval: timedelta, lowered: Iterable[Curtailed]
) -> float:
    """Return a load that follows the day smoothly, less what was asked for.

    It depends on meter and time alone: whoever asks again is told the same.
    """
    size = 200 + crc32(str(meter["id"]).encode()) % 200
    phase = tau * ((end - interval / 2 - _EPOCH - PEAK) / _DAY)
    match meter["asset_type"]:
        case "battery":
            return -0.1 * size * cos(phase)
        case "generator":
            return -0.2 * size * max(0.0, cos(phase))
    asked = sum(
        each.kw
        * (
            max(min(each.end, end) - max(each.start, end - interval), timedelta(0))
            / interval
        )
        for each in lowered
    )
    return size * (1 + 0.25 * cos(phase)) - asked


def _written(asked: Asked, values: Mapping[datetime, float]) -> list[Wire]:
    return [
        {
            "timestamp": rfc3339(end),
            "interval_seconds": asked.interval // timedelta(seconds=1),
            "units": "kW",
            **({"value": values[end]} if end in values else {}),
        }
        for end in asked.ends()
    ]


def _halves(rows: list[Wire]) -> list[list[Wire]]:
    middle = (len(rows) + 1) // 2
    return [rows[:middle], rows[middle:]]
