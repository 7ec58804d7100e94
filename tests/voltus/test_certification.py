"""Voltus' four certification scenarios, shortened to four minutes, as it posts them."""

from datetime import timedelta
import json

from homeassistant.helpers.aiohttp_client import async_get_clientsession
import pytest

from custom_components.voltus.aiovoltus.client import VoltusClient
from custom_components.voltus.aiovoltus.models import Json
from tests.builders import NOON, at, wire_time

from .stage import KEY, Stage

LENGTH = 4


def _state(
    published: float,
    start: float,
    end: float | None,
    number: int = 0,
    *,
    creation: float = 0,
    authorized: bool = True,
) -> dict[str, Json]:
    dispatch: dict[str, Json] = {
        "authorized": authorized,
        "test": False,
        "creation_time": wire_time(at(creation)),
        "start_time": wire_time(at(start)),
        "modification_number": number,
        "sites": [
            {
                "id": "s1",
                "name": "My Site",
                "customer_location_id": "example-location-id",
                "commitment": 1000.0,
            }
        ],
        "program": {
            "name": "A Program",
            "id": 5555,
            "timezone": "US/Pacific",
            "market": "CAISO",
            "program_type": "capacity",
        },
    }
    if end is not None:
        dispatch["end_time"] = wire_time(at(end))
    return {"published_time": wire_time(at(published)), "dispatch": dispatch}


BASIC = {"Dispatch": [_state(0, 0, LENGTH)]}
ANCILLARY = {"Dispatch": [_state(0, 0, None), _state(LENGTH, 0, LENGTH, 1)]}
TWO = {
    "Dispatch 1": [_state(0, 0, None), _state(4, 0, 4, 1)],
    "Dispatch 2": [
        _state(5, 5, None, creation=5),
        _state(9, 5, 9, 1, creation=5),
    ],
}
CANCELLED = {"Dispatch": [_state(0, 4, 8), _state(2, 4, 8, 1, authorized=False)]}


@pytest.mark.parametrize(
    ("dispatches", "curtailed", "told"),
    [
        pytest.param(BASIC, [(0, 4)], ["created", "started", "ended"], id="basic"),
        pytest.param(
            ANCILLARY,
            [(0, 4)],
            ["created", "started", "updated", "ended"],
            id="ancillary services",
        ),
        pytest.param(
            TWO,
            [(0, 4), (5, 9)],
            ["created", "started", "updated", "ended"] * 2,
            id="two dispatches",
        ),
        pytest.param(CANCELLED, [], ["created", "cancelled"], id="cancelled"),
    ],
)
async def test_certification_scenario(
    stage: Stage,
    dispatches: dict[str, list[dict[str, Json]]],
    curtailed: list[tuple[int, int]],
    told: list[str],
) -> None:
    await stage.set_up()
    await VoltusClient(
        async_get_clientsession(stage.hass), stage.url, KEY
    ).post_scenario(
        {
            "name": "Integration Test",
            "scenario_type": "custom",
            "dispatches": {
                name: {"states": [*states]} for name, states in dispatches.items()
            },
        }
    )
    await stage.poll()
    for second in range(0, 600, 30):
        await stage.move_to(NOON + timedelta(seconds=second))
        await stage.poll()
        minute = second / 60
        expected = any(start <= minute < end for start, end in curtailed)
        assert stage.curtails("s1") is expected, f"{minute} min"
        assert float(stage.state("commitment", "s1").state) == 1000 * expected
    assert [kind for _, kind in stage.stories] == told
    assert json.dumps([event.data for event in stage.told])


@pytest.mark.parametrize(
    ("dispatch", "commitment"),
    [
        pytest.param({"commitment": 12, "drop_by": 3}, "12.0", id="both"),
        pytest.param({"drop_by": 40}, "40.0", id="only drop_by"),
        pytest.param({"commitment": None, "drop_by": None}, "unknown", id="null"),
        pytest.param({}, "unknown", id="none"),
        pytest.param({"commitment": 0}, "0.0", id="zero"),
    ],
)
async def test_every_form_of_an_amount_curtails(
    stage: Stage, dispatch: dict[str, Json], commitment: str
) -> None:
    site: dict[str, Json] = {"id": "s1", "name": "S", "customer_location_id": ""}
    stage.publish(_wire(sites=[site | dispatch]))
    await stage.set_up()
    assert stage.curtails("s1")
    assert stage.state("commitment", "s1").state == commitment


@pytest.mark.parametrize(
    "start",
    ["2026-07-15T12:01:00.123456789Z", "2026-07-15T05:01:00.123456-07:00"],
    ids=["nanoseconds", "another zone"],
)
async def test_every_form_of_a_time_starts_to_the_microsecond(
    stage: Stage, start: str
) -> None:
    instant = at(1) + timedelta(microseconds=123456)
    stage.publish(_wire(start_time=start))
    await stage.set_up()
    assert stage.state("curtailment_end", "s1").state == "unknown"
    await stage.move_to(instant - timedelta(microseconds=1))
    assert not stage.curtails("s1")
    await stage.move_to(instant)
    assert stage.curtails("s1")
    assert stage.told[1].data["start_time"] == instant.isoformat()


def _wire(**fields: Json) -> dict[str, Json]:
    dispatch = _state(0, -1, None)["dispatch"]
    assert isinstance(dispatch, dict)
    return {"id": "d1"} | dispatch | fields
