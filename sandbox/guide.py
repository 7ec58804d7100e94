"""The page that tells a curious user what can be done here, with commands to copy."""

from datetime import datetime, timedelta
import json
import shlex
from string import Template

from .api import BASE_PATH, DEFAULT_SITES
from .scenario import custom_scenario, new_dispatch
from .wire import Wire, rfc3339

_GUIDE = Template("""\
A local Voltus at $url. It curtails nothing and calls nobody: try what you like.

IN HOME ASSISTANT
  Settings, Devices & services, Add integration, Voltus. Then enter
    address  $url
    API key  $key
  The key secret opens the public sandbox: one dispatch, which always starts right now.

WHAT IS THERE
$sites
$dispatches

A DISPATCH THAT STARTS IN 30 SECONDS AND LASTS 2 MINUTES
(Counted from now. For fresh times: $fresh)
$scenario

A TEST DISPATCH WITH THE SAME TIMES
(The answer is empty, as Voltus' is: list the dispatches to see it.)
$test

BREAK IT, LOOK WHAT IS BROKEN, AND MEND IT
$break_it
$look
$mend

WHO IS CALLED WHEN SOMETHING IS PUBLISHED; CALL LATE, IN TIME AGAIN, NOBODY
(Home Assistant creates a webhook by itself where it has an address; see its option Push.)
$webhooks
$call_late
$call_again
$forget

THE PUBLIC SANDBOX, STARTING 5 SECONDS AHEAD
$settings
$public
""")


def guide(url: str, key: str, now: datetime) -> str:
    """Return the page as plain text, for the server at `url` and an issued key."""
    moment = now.replace(microsecond=0)
    start, end = moment + timedelta(seconds=30), moment + timedelta(seconds=150)
    dispatch = new_dispatch(DEFAULT_SITES, start, end, created=moment)
    times = {"start_time": rfc3339(start), "end_time": rfc3339(end)}
    api, control = url + BASE_PATH, f"{url}/_control"
    return _GUIDE.substitute(
        url=url,
        key=key,
        fresh=_curl(f"{url}/"),
        sites=_curl(f"{api}/sites", key=key),
        dispatches=_curl(f"{api}/dispatches", key=key),
        scenario=_curl(
            f"{api}/scenarios", key=key, body=custom_scenario(dispatch, moment)
        ),
        test=_curl(f"{api}/dispatches", key=key, body=times),
        break_it=_curl(f"{control}/faults", "-X", "PUT", body={"status": 500}),
        look=_curl(f"{control}/faults"),
        mend=_curl(f"{control}/faults", "-X", "DELETE"),
        webhooks=_curl(f"{api}/webhooks", key=key),
        call_late=_curl(f"{control}/webhook_faults", "-X", "PUT", body={"delay": 5}),
        call_again=_curl(f"{control}/webhook_faults", "-X", "DELETE"),
        forget=_curl(f"{control}/webhooks", "-X", "DELETE"),
        settings=_curl(
            f"{control}/settings", "-X", "PUT", body={"public_start_offset": 5}
        ),
        public=_curl(f"{api}/dispatches", key="secret"),
    )


def _curl(
    url: str, *options: str, key: str | None = None, body: Wire | None = None
) -> str:
    command = ["curl", "-s", *options, url]
    if key is not None:
        command += ["-H", f"X-Voltus-API-Key: {key}"]
    if body is not None:
        command += ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
    return shlex.join(command)
