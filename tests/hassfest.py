"""What Home Assistant's validator asks of a custom integration, as schemas.

The validator, hassfest, is no part of what Home Assistant installs; CI runs it. With these
a mistake shows before that, and without a network.
"""

import re
from typing import Any

from awesomeversion import AwesomeVersion, AwesomeVersionStrategy
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.selector import TargetSelector, validate_selector
import voluptuous as vol

KEY = re.compile(r"(?!.+[_-]{2})(?![_-])[a-z0-9_-]+(?<![_-])")
IOT_CLASSES = {
    f"{where}_{how}" for where in ("cloud", "local") for how in ("polling", "push")
} | {"assumed_state", "calculated"}
INTEGRATION_TYPES = {
    "device",
    "entity",
    "hardware",
    "helper",
    "hub",
    "service",
    "system",
    "virtual",
}


def key(value: Any) -> str:
    """Take what can be a translation key."""
    if not isinstance(value, str) or not KEY.fullmatch(value):
        raise vol.Invalid("no translation key")
    return value


def page(value: Any) -> str:
    """Take the address of a page that is not one of Home Assistant's own."""
    if not isinstance(value, str) or not value.startswith("https://"):
        raise vol.Invalid("no https address")
    if value.startswith("https://www.home-assistant.io/"):
        raise vol.Invalid("only integrations of the core are documented there")
    return value


def owner(value: Any) -> str:
    """Take the name of a user or a team on GitHub."""
    if not isinstance(value, str) or not re.fullmatch(r"@[\w-]+(/[\w-]+)?", value):
        raise vol.Invalid("no owner")
    return value


def version(value: Any) -> str:
    """Take a version by the rules of Semantic Versioning."""
    AwesomeVersion(value, ensure_strategy=[AwesomeVersionStrategy.SEMVER])
    return str(value)


def icon(value: Any) -> str:
    """Take an icon of the set that the frontend has."""
    if not isinstance(value, str) or not re.fullmatch(r"mdi:[a-z0-9-]+", value):
        raise vol.Invalid("no icon")
    return value


def given(value: Any) -> Any:
    """Take anything but nothing."""
    if value is None:
        raise vol.Invalid("nothing")
    return value


# `issue_tracker` is demanded by HACS. All but `domain` and `name` stand in alphabetical
# order, which a schema cannot say.
MANIFEST = vol.Schema(
    {
        vol.Required("domain"): cv.slug,
        vol.Required("name"): str,
        vol.Optional("after_dependencies"): [cv.slug],
        vol.Required("codeowners"): vol.All([owner], vol.Length(min=1)),
        vol.Optional("config_flow"): bool,
        vol.Optional("dependencies"): [cv.slug],
        vol.Required("documentation"): page,
        vol.Optional("integration_type"): vol.In(INTEGRATION_TYPES),
        vol.Required("iot_class"): vol.In(IOT_CLASSES),
        vol.Required("issue_tracker"): page,
        vol.Optional("loggers"): [str],
        vol.Optional("requirements"): [str],
        vol.Optional("single_config_entry"): bool,
        vol.Required("version"): version,
    }
)

_FIELD = vol.Schema(
    {
        vol.Optional("example"): given,
        vol.Optional("default"): given,
        vol.Optional("required"): bool,
        vol.Optional("selector"): validate_selector,
    }
)
_DESCRIPTION = vol.Any(
    None,
    vol.Schema(
        {
            vol.Optional("target"): TargetSelector.CONFIG_SCHEMA,
            vol.Optional("fields"): {str: _FIELD},
        }
    ),
)
_ANCHOR = vol.All(str, vol.Match(r"\."))

# Of a custom integration also the keys of services.yaml have to be names of actions; the
# other two may begin keys that only hold anchors with a dot.
SERVICES = vol.Schema({cv.slug: _DESCRIPTION})
TRIGGERS = vol.Schema({vol.Remove(_ANCHOR): object, cv.underscore_slug: _DESCRIPTION})
CONDITIONS = TRIGGERS

ICONS = vol.Schema(
    {
        vol.Optional("entity"): {
            cv.slug: {
                key: {
                    vol.Optional("default"): icon,
                    vol.Optional("range"): {str: icon},
                    vol.Optional("state"): {key: icon},
                    vol.Optional("state_attributes"): {
                        key: {
                            vol.Optional("default"): icon,
                            vol.Optional("state"): {key: icon},
                        }
                    },
                }
            }
        },
        vol.Optional("services"): {key: {vol.Required("service"): icon}},
        vol.Optional("triggers"): {key: {vol.Required("trigger"): icon}},
        vol.Optional("conditions"): {key: {vol.Required("condition"): icon}},
    }
)

_NAMED = {vol.Required("name"): str, vol.Required("description"): str}
_OFFERED: dict[Any, Any] = {key: {**_NAMED, vol.Optional("fields"): {key: _NAMED}}}
_FLOW = {
    vol.Optional("flow_title"): str,
    vol.Required("step"): {
        str: {
            vol.Optional("title"): str,
            vol.Optional("description"): str,
            vol.Optional("data"): {str: str},
            vol.Optional("data_description"): {str: str},
            vol.Optional("menu_options"): {str: str},
            vol.Optional("submit"): str,
        }
    },
    vol.Optional("error"): {str: str},
    vol.Optional("abort"): {str: str},
    vol.Optional("progress"): {str: str},
    vol.Optional("create_entry"): {str: str},
}
_STATES = {key: str}
TRANSLATIONS = vol.Schema(
    {
        vol.Optional("title"): str,
        vol.Optional("config"): _FLOW,
        vol.Optional("options"): _FLOW,
        vol.Optional("config_subentries"): {
            cv.slug: {
                **_FLOW,
                vol.Required("entry_type"): str,
                vol.Required("initiate_flow"): {
                    vol.Required("user"): str,
                    vol.Optional("reconfigure"): str,
                },
            }
        },
        vol.Optional("issues"): {
            str: vol.Any(
                {vol.Required("title"): str, vol.Required("description"): str},
                {vol.Required("title"): str, vol.Required("fix_flow"): _FLOW},
            )
        },
        vol.Optional("selector"): {
            cv.slug: {
                vol.Optional("options"): {key: str},
                vol.Optional("fields"): {key: {"name": str}},
            }
        },
        vol.Optional("system_health"): {vol.Optional("info"): {key: str}},
        vol.Optional("device"): {key: {vol.Optional("name"): str}},
        vol.Optional("entity"): {
            cv.slug: {
                key: {
                    vol.Optional("name"): str,
                    vol.Optional("state"): _STATES,
                    vol.Optional("state_attributes"): {
                        key: {
                            vol.Optional("name"): str,
                            vol.Optional("state"): _STATES,
                        }
                    },
                    vol.Optional("unit_of_measurement"): str,
                }
            }
        },
        vol.Optional("exceptions"): {cv.slug: {vol.Required("message"): str}},
        vol.Optional("services"): _OFFERED,
        vol.Optional("triggers"): _OFFERED,
        vol.Optional("conditions"): _OFFERED,
    }
)

MAY_BE_IMPORTED = {
    "automation",
    "device_automation",
    "homeassistant",
    "persistent_notification",
    "script",
    "system_health",
    "webhook",
    "websocket_api",
}
"""Components besides the platforms that a manifest need not name to import them."""
