"""The form *Add performance*: a site, where its load comes from, and its baseline."""

from typing import Any

from homeassistant.config_entries import ConfigFlowResult, SubentryFlowResult
from homeassistant.data_entry_flow import FlowResultType
import pytest

from custom_components.voltus.metering.baseline import (
    PRESETS,
    AdjustmentType,
    FirmLevel,
    XOfY,
)
from custom_components.voltus.performance.settings import method_of

from .harness import Harness
from .test_performance import POWER, chosen
from .test_telemetry import map_meters, show

OWN_DAYS = {
    "x": 4,
    "y": 5,
    "select": "highest",
    "day_type": "all",
    "adjustment": "additive",
    "window": "4_to_1_hours",
    "cap": 20,
}


async def begin(harness: Harness) -> SubentryFlowResult:
    return await harness.hass.config_entries.subentries.async_init(
        (harness.entry.entry_id, "performance"), context={"source": "user"}
    )


async def fill(
    harness: Harness, form: SubentryFlowResult | ConfigFlowResult, **filled: Any
) -> SubentryFlowResult:
    return await harness.hass.config_entries.subentries.async_configure(
        form["flow_id"], filled
    )


def stored(harness: Harness) -> dict[str, Any]:
    (subentry,) = harness.entry.subentries.values()
    return dict(subentry.data)


async def test_a_site_its_source_and_a_preset_are_enough(harness: Harness) -> None:
    await harness.set_up()
    form = await begin(harness)
    assert form["step_id"] == "user"
    done = await fill(
        harness, form, site_id="s1", source="voltus", method="caiso_10_of_10"
    )
    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert done["title"] == "Site s1"
    assert stored(harness) == {
        "site_id": "s1",
        "source": "voltus",
        "method": "caiso_10_of_10",
    }
    assert method_of(stored(harness)) == PRESETS["caiso_10_of_10"]
    await harness.settle()
    assert harness.hass.states.get("sensor.site_s1_load")


async def test_your_own_days_are_asked_for(harness: Harness) -> None:
    await harness.set_up()
    form = await begin(harness)
    form = await fill(harness, form, site_id="s1", source="voltus", method="x_of_y")
    assert form["step_id"] == "settings"
    form = await fill(harness, form, **{**OWN_DAYS, "x": 9})
    assert form["errors"] == {"base": "no_such_days"}
    done = await fill(harness, form, **OWN_DAYS)
    assert done["type"] is FlowResultType.CREATE_ENTRY
    method = method_of(stored(harness))
    assert isinstance(method, XOfY)
    assert method.adjustment
    assert (method.x, method.y, method.adjustment.cap) == (4, 5, 0.2)
    assert method.adjustment.type is AdjustmentType.ADDITIVE


async def test_a_limit_may_be_left_out_and_an_adjustment_too(harness: Harness) -> None:
    await harness.set_up()
    form = await begin(harness)
    form = await fill(harness, form, site_id="s1", source="voltus", method="x_of_y")
    filled = {key: value for key, value in OWN_DAYS.items() if key != "cap"}
    await fill(harness, form, **{**filled, "adjustment": "none"})
    method = method_of(stored(harness))
    assert isinstance(method, XOfY)
    assert method.adjustment is None


@pytest.mark.parametrize(
    ("filled", "errors"),
    [
        ({"source": "entity"}, {"entity_id": "no_entity"}),
        (
            {"source": "entity", "entity_id": "sensor.gone"},
            {"entity_id": "neither_power_nor_energy"},
        ),
        ({"source": "meters"}, {"source": "no_mapped_meters"}),
    ],
)
async def test_a_load_that_cannot_come_from_there_is_refused(
    harness: Harness, filled: dict[str, Any], errors: dict[str, str]
) -> None:
    await harness.set_up()
    form = await begin(harness)
    form = await fill(harness, form, site_id="s1", method="caiso_10_of_10", **filled)
    assert form["errors"] == errors
    done = await fill(
        harness, form, site_id="s1", method="caiso_10_of_10", source="voltus"
    )
    assert done["type"] is FlowResultType.CREATE_ENTRY


async def test_what_was_chosen_can_be_changed(harness: Harness) -> None:
    show(harness.hass, POWER, 10)
    map_meters(harness, chosen())
    await harness.set_up()
    (subentry_id,) = harness.entry.subentries
    begun = await harness.entry.start_subentry_reconfigure_flow(
        harness.hass, subentry_id
    )
    assert begun["step_id"] == "reconfigure"
    form = await fill(
        harness, begun, source="entity", entity_id=POWER, method="firm_level"
    )
    done = await fill(harness, form, kw=30)
    assert done["reason"] == "reconfigure_successful"
    assert method_of(stored(harness)) == FirmLevel(30)
    assert stored(harness)["counts"] is False


async def test_of_each_site_one_is_chosen(harness: Harness) -> None:
    map_meters(harness, chosen("s1"), chosen("s2"))
    await harness.set_up()
    form = await begin(harness)
    assert form["reason"] == "no_sites"


async def test_an_account_that_does_not_run_is_mended_first(harness: Harness) -> None:
    map_meters(harness, chosen())
    await harness.set_up()
    await harness.hass.config_entries.async_unload("account")
    assert (await begin(harness))["reason"] == "not_loaded"
    (subentry_id,) = harness.entry.subentries
    form = await harness.entry.start_subentry_reconfigure_flow(
        harness.hass, subentry_id
    )
    assert form["reason"] == "not_loaded"
