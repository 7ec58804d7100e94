"""A client for Voltus' REST API and the rules of its dispatches.

Pure but for `client`: nothing here reads a clock, and nothing knows Home Assistant.
"""

from .client import PRODUCTION, PUBLIC_KEY, SANDBOX, VoltusClient, parse_origin
from .errors import (
    VoltusAuthError,
    VoltusConnectionError,
    VoltusError,
    VoltusFormatError,
    VoltusNotFoundError,
    VoltusRateLimitError,
    VoltusRequestError,
)
from .models import Dispatch, DispatchSite, Meter, Program, Site, Snapshot
from .schedule import (
    Change,
    ChangeType,
    Curtailment,
    Look,
    Phase,
    Policy,
    Status,
    changes,
    look,
    status,
)

__all__ = [
    "PRODUCTION",
    "PUBLIC_KEY",
    "SANDBOX",
    "Change",
    "ChangeType",
    "Curtailment",
    "Dispatch",
    "DispatchSite",
    "Look",
    "Meter",
    "Phase",
    "Policy",
    "Program",
    "Site",
    "Snapshot",
    "Status",
    "VoltusAuthError",
    "VoltusClient",
    "VoltusConnectionError",
    "VoltusError",
    "VoltusFormatError",
    "VoltusNotFoundError",
    "VoltusRateLimitError",
    "VoltusRequestError",
    "changes",
    "look",
    "parse_origin",
    "status",
]
