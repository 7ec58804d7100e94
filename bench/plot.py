"""The two pictures in docs/performance.md, as one SVG."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .delay import Delays
from .scale import Scale

OURS, OTHERS = "#0b7a75", "#b3541e"
SETTINGS = {"font.size": 10, "svg.fonttype": "none", "svg.hashsalt": "voltus"}


def plot(delays: Delays, scale: Scale, path: Path) -> None:
    """Draw the delays beside the poller's, and how the work grows with the sites."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    _delays(left, delays)
    _growth(right, scale)
    figure.savefig(path, metadata={"Date": None})


def _delays(axes: Axes, delays: Delays) -> None:
    axes.set_title("From the planned second to the state")
    for values, label, colour in (
        (delays.ours, "Voltus for Home Assistant", OURS),
        (delays.poller, "polling every 30 s", OTHERS),
    ):
        axes.ecdf(_thousand(values), label=label, color=colour)
    axes.set(
        xscale="log", xlabel="seconds late (logarithmic)", ylabel="share of boundaries"
    )
    axes.grid(visible=True, alpha=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(0.3, 0.5))


def _growth(axes: Axes, scale: Scale) -> None:
    axes.set_title("What grows with the sites")
    sites = [size.sites for size in scale.sizes]
    for seconds, label, style, colour in (
        ([size.set_up for size in scale.sizes], "set-up", "o-", OURS),
        ([size.bare for size in scale.sizes], "set-up, bare sensors", "o--", OTHERS),
        ([size.dispatch for size in scale.sizes], "a dispatch to all", "s-", OURS),
    ):
        axes.plot(sites, seconds, style, label=label, color=colour)
    axes.set(xscale="log", yscale="log", xlabel="sites", ylabel="seconds of CPU")
    axes.grid(visible=True, alpha=0.3)
    axes.legend()


def _thousand(values: Sequence[float]) -> Sequence[float]:
    """Return no more than about a thousand of the values, evenly chosen."""
    ordered = sorted(values)
    return ordered[:: max(1, len(ordered) // 1000)]
