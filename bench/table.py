"""The figures as a table, which is Markdown as well."""

from collections.abc import Iterable
from pathlib import Path

from .figures import Figure

BEGIN, END = "<!-- figures -->", "<!-- end -->"
HEADER = ("what", "measured", "baseline", "ratio", "goal", "")


def table(figures: Iterable[Figure]) -> str:
    """Return the figures line by line, in columns."""
    rows = [HEADER, *(_row(figure) for figure in figures)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, tuple("-" * width for width in widths))
    return "\n".join(
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |"
        for row in rows
    )


def put_into(page: Path, report: str) -> None:
    """Put the report between the two marks that the page has for it."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    page.write_text(f"{before}{begin}\n{report}\n{end}{after}", encoding="utf-8")


def _row(figure: Figure) -> tuple[str, ...]:
    return (
        figure.what,
        _amount(figure.measured, figure.unit),
        "" if figure.baseline is None else _amount(figure.baseline, figure.unit),
        "" if figure.ratio is None else _ratio(figure.ratio),
        figure.goal.text if figure.goal else "",
        {True: "met", False: "MISSED", None: ""}[figure.met],
    )


def _amount(value: float, unit: str) -> str:
    """Write three digits that count."""
    digits = max(0, 2 - len(str(int(abs(value)))) + 1)
    return f"{value:,.{digits}f} {unit}".strip()


def _ratio(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio >= 0.5 else f"1/{1 / ratio:,.1f}"
