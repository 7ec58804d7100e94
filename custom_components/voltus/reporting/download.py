"""The report on a dispatch: as the answer of an action, and to be downloaded."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from enum import StrEnum
from http import HTTPStatus
import json
from typing import Any, Final
from urllib.parse import quote

from aiohttp import web
from homeassistant.components.http import KEY_HASS, HomeAssistantView
from homeassistant.components.http.auth import async_sign_path
from homeassistant.core import HomeAssistant, ServiceResponse
from homeassistant.exceptions import ServiceValidationError

from ..const import DOMAIN
from ..coordinator import VoltusCoordinator
from ..records.page import as_html
from ..records.report import as_csv

SIGNED_FOR: Final = timedelta(hours=1)
PATH: Final = "/api/voltus/report"
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
"""A page of ours needs nothing but its own style."""


class Format(StrEnum):
    """In which form a report is given."""

    JSON = "json"
    CSV = "csv"
    HTML = "html"


TYPES: Final = {
    Format.JSON: "application/json",
    Format.CSV: "text/csv",
    Format.HTML: "text/html",
}


async def get_report(
    account: VoltusCoordinator,
    *,
    dispatch_id: str,
    format: Format = Format.JSON,  # noqa: A002
) -> ServiceResponse:
    """Return the report on a dispatch, and where to download it for an hour."""
    content = await account.records.async_report(dispatch_id)
    if content is None:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="unknown_dispatch",
            translation_placeholders={"dispatch": dispatch_id},
        )
    path = (
        f"{PATH}/{account.config_entry.entry_id}/{quote(dispatch_id, safe='')}.{format}"
    )
    return {
        "preliminary": content["preliminary"],
        "content": content
        if format is Format.JSON
        else _text(account, content, format),
        "url": async_sign_path(account.hass, path, SIGNED_FOR),
    }


class ReportView(HomeAssistantView):
    """Gives a report to whoever is signed in, or has an address from the action."""

    url = PATH + "/{entry_id}/{dispatch_id}.{form}"
    name = "api:voltus:report"

    async def get(
        self, request: web.Request, entry_id: str, dispatch_id: str, form: str
    ) -> web.Response:
        """Return the report as a file."""
        hass = request.app[KEY_HASS]
        entry = hass.config_entries.async_get_entry(entry_id)
        account = getattr(entry, "runtime_data", None)
        if not isinstance(account, VoltusCoordinator) or form not in TYPES:
            return web.Response(status=HTTPStatus.NOT_FOUND)
        content, given = await account.records.async_report(dispatch_id), Format(form)
        if content is None:
            return web.Response(status=HTTPStatus.NOT_FOUND)
        return web.Response(
            text=_text(account, content, given),
            content_type=TYPES[given],
            charset="utf-8",
            headers={"Content-Security-Policy": POLICY},
        )


def async_serve_reports(hass: HomeAssistant) -> None:
    """Offer reports to be downloaded."""
    hass.http.register_view(ReportView)


def _text(account: VoltusCoordinator, content: Mapping[str, Any], given: Format) -> str:
    makers: dict[Format, Callable[[], str]] = {
        Format.JSON: lambda: json.dumps(content, indent=2, ensure_ascii=False),
        Format.CSV: lambda: as_csv(content),
        Format.HTML: lambda: as_html(content, account.name),
    }
    return makers[given]()
