"""What each fault does to an answer."""

import json

import pytest

from sandbox.faults import BODIES, HUGE, Faults, parse_faults
from sandbox.wire import Answer, RequestError, json_answer

GOOD = json_answer({"dispatches": [{"id": "d1s9"}], "page": 0, "perPage": 0})
DISPATCHES = [
    {"id": "d1s9", "authorized": True, "test": False},
    {"id": "x2k4", "authorized": True, "test": False},
]


def test_without_faults_nothing_happens() -> None:
    faults = Faults()
    assert faults.instead() is None
    assert faults.spoil(GOOD) == GOOD
    assert faults.listed(DISPATCHES) == DISPATCHES
    assert faults.found(DISPATCHES[0]) == DISPATCHES[0]


@pytest.mark.parametrize(
    ("status", "envelope"),
    [
        (400, {"message": "Bad Request", "type": "Bad Request"}),
        (401, {"message": "Permission denied", "type": "Unauthorized"}),
        (403, {"message": "Permission denied", "type": "Unauthorized"}),
        (404, {"message": "Not Found", "type": "Not Found"}),
        (413, {"message": "Content Too Large", "type": "Content Too Large"}),
        (429, {"message": "Too Many Requests", "type": "Too Many Requests"}),
        (500, {"message": "Internal Server Error", "type": "Internal Server Error"}),
        (522, {"message": "Internal Server Error", "type": "Internal Server Error"}),
    ],
)
def test_a_status_comes_with_its_envelope(
    status: int, envelope: dict[str, str]
) -> None:
    answer = Faults(status=status).instead()
    assert answer is not None
    assert (answer.status, json.loads(answer.body)) == (status, envelope)


@pytest.mark.parametrize(("status", "sent"), [(None, 302), (308, 308)])
def test_a_redirect_names_another_address(status: int | None, sent: int) -> None:
    assert Faults(redirect="http://other/", status=status).instead() == Answer(
        sent, headers={"Location": "http://other/"}
    )


@pytest.mark.parametrize("kind", ["html", "truncated", "malformed", "empty"])
def test_a_body_that_is_not_json(kind: str) -> None:
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        json.loads(Faults(body=kind).spoil(GOOD).body)


def test_a_page_of_a_proxy_says_that_it_is_html() -> None:
    answer = Faults(body="html").spoil(
        Answer(403, headers={"Content-Type": "application/json"})
    )
    assert (answer.status, answer.headers["Content-Type"]) == (403, "text/html")


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("null_dispatches", {"dispatches": None, "page": 0, "perPage": 0}),
        ("wrong_shape", ["dispatches"]),
    ],
)
def test_a_body_that_is_json_of_another_shape(kind: str, payload: object) -> None:
    assert json.loads(Faults(body=kind).spoil(GOOD).body) == payload


def test_a_huge_body_would_be_good_json() -> None:
    body = Faults(body="huge").spoil(GOOD).body
    assert len(body) == HUGE
    assert json.loads(body) == json.loads(GOOD.body)


@pytest.mark.parametrize(
    "text", ["120", "0", "-5", "soon", "Wed, 21 Oct 2026 07:28:00 GMT"]
)
def test_retry_after_says_anything(text: str) -> None:
    assert Faults(retry_after=text).spoil(GOOD).headers["Retry-After"] == text


def test_a_dropped_dispatch_is_neither_listed_nor_found() -> None:
    faults = Faults(drop=["d1s9"])
    assert faults.listed(DISPATCHES) == DISPATCHES[1:]
    assert faults.found(DISPATCHES[0]) is None
    assert faults.found(DISPATCHES[1]) == DISPATCHES[1]


def test_one_dropped_from_the_list_is_still_found() -> None:
    faults = Faults(drop_from_list=["d1s9"])
    assert faults.listed(DISPATCHES) == DISPATCHES[1:]
    assert faults.found(DISPATCHES[0]) == DISPATCHES[0]


def test_fields_are_corrupted_and_omitted_wherever_the_dispatch_is_shown() -> None:
    faults = Faults(
        corrupt={"d1s9": {"authorized": False, "sites": None}}, omit={"d1s9": ["test"]}
    )
    spoiled = {"id": "d1s9", "authorized": False, "sites": None}
    assert faults.listed(DISPATCHES) == [spoiled, DISPATCHES[1]]
    assert faults.found(DISPATCHES[0]) == spoiled


def test_paths_limit_the_faults_of_an_answer_but_not_those_of_a_dispatch() -> None:
    faults = Faults(status=500, drop_from_list=["d1s9"], paths=["/dispatches/d1s9"])
    assert faults.at("/2022-04-15/dispatches/d1s9") == faults
    assert faults.at("/2022-04-15/dispatches") == Faults(drop_from_list=["d1s9"])


def test_a_fault_clears_itself_after_so_many_strikes() -> None:
    faults = Faults(status=500, paths=["/dispatches"], times=2)
    assert faults.after("/2022-04-15/sites") == faults
    once = faults.after("/2022-04-15/dispatches")
    assert once == Faults(status=500, paths=["/dispatches"], times=1)
    assert once.after("/2022-04-15/dispatches") == Faults()


def test_a_fault_without_times_stays() -> None:
    assert Faults(status=500).after("/2022-04-15/dispatches") == Faults(status=500)


EVERY_FAULT = {
    "status": 429,
    "redirect": "http://127.0.0.1:1/",
    "body": "html",
    "retry_after": "120",
    "delay": 1.5,
    "hang": True,
    "cut": True,
    "date_offset": -60,
    "drop": ["a"],
    "drop_from_list": ["b"],
    "corrupt": {"c": {"sites": [None]}},
    "omit": {"d": ["test"]},
    "paths": ["/dispatches"],
    "times": 3,
}


def test_every_fault_can_be_read_from_json() -> None:
    assert parse_faults(EVERY_FAULT) == Faults(**EVERY_FAULT)  # type: ignore[arg-type]
    assert EVERY_FAULT.keys() == set(Faults.__slots__)


def test_null_switches_nothing_on() -> None:
    assert parse_faults(dict.fromkeys(EVERY_FAULT)) == Faults()


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("status", 99, "an HTTP status from 200 to 599"),
        ("status", "500", "an HTTP status from 200 to 599"),
        ("redirect", "http://a/\r\nX: y", "a text in one line"),
        ("body", "soup", f"one of {', '.join(BODIES)}"),
        ("body", ["html"], f"one of {', '.join(BODIES)}"),
        ("retry_after", 120, "a text in one line"),
        ("delay", -1, "a number of seconds, 0 or more"),
        ("hang", 1, "true or false"),
        ("date_offset", float("nan"), "a number of seconds, thirty years at most"),
        ("drop", "d1s9", "a list of texts"),
        ("drop_from_list", [1], "a list of texts"),
        ("corrupt", {"d1s9": 1}, "an object of objects: {id: {field: value}}"),
        ("omit", {"d1s9": "test"}, "an object of lists: {id: [field]}"),
        ("times", 0, "a whole number, 1 or more"),
        ("times", 1.5, "a whole number, 1 or more"),
        ("times", True, "a whole number, 1 or more"),
    ],
)
def test_a_fault_of_the_wrong_type_is_named(
    name: str, value: object, wanted: str
) -> None:
    with pytest.raises(RequestError) as refused:
        parse_faults({name: value})
    assert str(refused.value) == f"{name} of faults must be {wanted}"


def test_an_unknown_fault_is_named() -> None:
    with pytest.raises(
        RequestError, match="faults knows no bdoy, statu; it knows body, corrupt, cut"
    ):
        parse_faults({"statu": 500, "bdoy": "html"})


@pytest.mark.parametrize("body", [None, [], "status"])
def test_faults_are_an_object(body: object) -> None:
    with pytest.raises(RequestError, match="faults must be an object"):
        parse_faults(body)
