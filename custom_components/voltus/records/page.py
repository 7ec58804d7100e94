"""The report on a dispatch as one page: no script, no other file, fit to print and mail."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from html import escape
from typing import Any, Final

from .report import COLUMNS, result_in_words

WIDTH: Final = 720
ROW: Final = 34
LEFT: Final = 170
_QUARTER_HOUR: Final = timedelta(minutes=15)
_COLOURS: Final = {"load": "#1f6fb2", "baseline": "#7a7a7a", "target": "#c4392b"}
_STYLE: Final = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1c1c1c; max-width: 60rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; }
h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #ddd;
  vertical-align: top; }
.hash { font: 11px/1.3 ui-monospace, monospace; word-break: break-all; color: #666; }
.note { color: #666; }
svg { width: 100%; height: auto; }
svg text { font: 12px system-ui, sans-serif; }
@media print { body { margin: 0; max-width: none; } h2 { break-after: avoid; } }
"""


def as_html(content: Mapping[str, Any], title: str) -> str:
    """Return a report as a page of its own; all texts in it are escaped."""
    dispatch = content["dispatch"]
    kind = "Drill" if content["drill"] else "Dispatch"
    name = f"{kind} {dispatch['id']}"
    state = "preliminary" if content["preliminary"] else "final"
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{escape(name)}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{escape(name)}</h1>
<p class="note">{escape(title)}. {state.capitalize()}, as of {_time(content["made"])}.
Status: {escape(content["status"])}.</p>
<h2>What was asked for</h2>
{_table(("site", "kW below the baseline"), _asked(dispatch))}
<p>From {_time(dispatch["start_time"])} to {_time(dispatch.get("end_time"))}.</p>
<h2>When it was called for, and when we acted</h2>
{_drawing(content)}
{_table(("site", "on", "off"), _acted(content))}
<h2>What was told, and when we knew</h2>
{_table(COLUMNS, _changes(content))}
<p class="note">Times are UTC. <em>moment</em> is when it came about, <em>received</em> when
it reached us, <em>announced</em> when our automations were told; delays are in seconds.</p>
{_loads(content)}
{_results(content)}
<h2>Seal</h2>
<p class="hash">{_seal(content)}</p>
</body>
</html>
"""


def _asked(dispatch: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for site in dispatch["sites"]:
        amount = site["commitment"]
        yield (
            escape(site["name"]),
            "the whole curtailment plan" if amount is None else f"{amount:g}",
        )


def _acted(content: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    names = _names(content)
    for each in content["curtailments"]:
        site = names.get(each["site_id"], each["site_id"])
        yield escape(site), _time(each["on"]), _time(each["off"])


def _changes(content: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for row in content["changes"]:
        yield tuple(_cell(row.get(column)) for column in COLUMNS)


def _loads(content: Mapping[str, Any]) -> str:
    rows = [
        (
            _time(row["announced"]),
            escape(str(row["entity_id"])),
            escape(str(row["type"]).removeprefix("load_").replace("_", " ")),
        )
        for row in content["loads"]
    ]
    if not rows:
        return ""
    return f"<h2>What the loads did</h2>\n{_table(('when', 'load', 'came to'), rows)}"


def _seal(content: Mapping[str, Any]) -> str:
    if "hash" not in content:
        return "Not sealed yet."
    before = content["before"] or "none"
    return f"SHA-256 {content['hash']}, after {escape(before)}"


def _results(content: Mapping[str, Any]) -> str:
    """Return for each site what came of it: the sentence, the drawing, and the method."""
    names = _names(content)
    parts = []
    for site in content["sites"]:
        name = names[site["site_id"]]
        words = result_in_words({**site, **site["result"], "name": name})
        found, needed = len(site["baseline"]["days"]), site["baseline"]["days_needed"]
        days = f", {found} of {needed} days" if needed else ""
        parts.append(
            f"<h2>{escape(name)}: load, baseline and target, estimated</h2>\n"
            f"<p>{escape(words)}. Estimated by {escape(site['method']['method'])}{days}, "
            f"load from {escape(site['source'])}"
            f"{', partly by the hour' if site['coarse'] else ''}.</p>\n"
            f"{_curves(site, content)}"
        )
    if parts:
        return "\n".join(parts)
    return (
        '<p class="note">Voltus publishes neither baseline nor result, and for these '
        "sites none is estimated.</p>"
    )


def _curves(site: Mapping[str, Any], content: Mapping[str, Any]) -> str:
    """Draw load, baseline and target in kW, with the time of the dispatch shaded."""
    lines = {
        "load": site["load"],
        "baseline": _steps(site["baseline"]["kw"]),
        "target": _steps(site["target"]),
    }
    points = [p for line in lines.values() for p in line if p[1] is not None]
    if not points:
        return '<p class="note">Nothing is known of the load.</p>'
    dispatch = content["dispatch"]
    times = [datetime.fromisoformat(at) for at, _ in points]
    begin, span = min(times), max(max(times) - min(times), timedelta(minutes=1))
    low, high = min(0.0, *(kw for _, kw in points)), max(kw for _, kw in points)

    def x(instant: str) -> float:
        share = float((datetime.fromisoformat(instant) - begin) / span)
        return 60.0 + (WIDTH - 60) * min(max(share, 0.0), 1.0)

    def y(kw: float) -> float:
        height: float = 180 * (kw - low) / (high - low or 1)
        return 200 - height

    left = x(dispatch["start_time"])
    right = x(dispatch.get("end_time") or content["made"])
    parts = [_bar(left, right, 20, 180, "#f3d9d5")]
    for number, (name, line) in enumerate(lines.items()):
        path = " ".join(f"{x(at):.1f},{y(kw):.1f}" for at, kw in line if kw is not None)
        style = f'fill="none" stroke="{_COLOURS[name]}" stroke-width="2"'
        dash = ' stroke-dasharray="6 4"' if name == "target" else ""
        parts.append(f'<polyline points="{path}" {style}{dash}/>')
        parts.append(
            f'<text x="{70 + 90 * number}" y="14" fill="{_COLOURS[name]}">{name}</text>'
        )
    parts += [
        f'<text x="0" y="{y(kw) + 4:.1f}">{kw:.0f} kW</text>' for kw in (low, high)
    ]
    return (
        f'<svg viewBox="0 0 {WIDTH} 210" role="img" aria-label="Load, baseline and '
        f'target in kW">{"".join(parts)}</svg>'
    )


def _steps(points: Iterable[tuple[str, float | None]]) -> list[tuple[str, float]]:
    """Return a line that keeps each value for its quarter hour."""
    return [
        (instant.isoformat(), kw)
        for at, kw in points
        if kw is not None
        for start in [datetime.fromisoformat(at)]
        for instant in (start, start + _QUARTER_HOUR)
    ]


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str) and "T" in value and value[:4].isdigit():
        return _time(value)
    return escape(str(value))


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f"<th>{escape(each.replace('_', ' '))}</th>" for each in heads)
    body = "".join(
        f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>\n" for row in rows
    )
    return f"<table>\n<tr>{head}</tr>\n{body}</table>"


def _drawing(content: Mapping[str, Any]) -> str:
    """Draw, site by site, when curtailment was called for and when `curtail` was on."""
    dispatch, made = content["dispatch"], content["made"]
    asked = (dispatch["start_time"], dispatch.get("end_time") or made)
    acted = [(each["on"], each["off"] or made) for each in content["curtailments"]]
    instants = [datetime.fromisoformat(t) for span in (asked, *acted) for t in span]
    begin, end = min(instants), max(instants)
    margin = max((end - begin) / 20, timedelta(seconds=1))

    def x(instant: str) -> float:
        since = datetime.fromisoformat(instant) - (begin - margin)
        return LEFT + (WIDTH - LEFT) * (since / (end - begin + 2 * margin))

    names = _names(content)
    height = ROW * len(names) + 24
    left, right = (x(each) for each in asked)
    parts = [
        _bar(left, right, 0, height - 24, "#f3d9d5"),
        f'<text x="{left:.1f}" y="{height - 8}">called for</text>',
    ]
    for number, (site_id, name) in enumerate(names.items()):
        y = number * ROW
        parts.append(f'<text x="0" y="{y + 21}">{escape(name[:24])}</text>')
        parts += [
            _bar(x(each["on"]), x(each["off"] or made), y + 8, 18, "#c4392b")
            for each in content["curtailments"]
            if each["site_id"] == site_id
        ]
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="When curtailment was '
        f'called for, and when each site curtailed">{"".join(parts)}</svg>'
    )


def _bar(left: float, right: float, top: float, height: float, fill: str) -> str:
    return (
        f'<rect x="{left:.1f}" y="{top}" width="{max(right - left, 1):.1f}" '
        f'height="{height}" fill="{fill}"/>'
    )


def _names(content: Mapping[str, Any]) -> dict[str, str]:
    """Return the names of the sites by their ids."""
    sites = content["dispatch"]["sites"]
    return {each["id"]: each["name"] or each["id"] for each in sites}


def _time(instant: str | None) -> str:
    if instant is None:
        return "open"
    return f"{datetime.fromisoformat(instant):%Y-%m-%d %H:%M:%S}"
