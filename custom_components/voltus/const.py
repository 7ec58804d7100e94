"""Names that several rooms share."""

import logging
from typing import Final

DOMAIN: Final = "voltus"
LOGGER = logging.getLogger(__package__)
