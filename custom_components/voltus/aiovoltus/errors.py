"""What can go wrong between us and Voltus."""


class VoltusError(Exception):
    """Any failed exchange with Voltus; the base of all errors of this package."""


class VoltusConnectionError(VoltusError):
    """No answer that Voltus could have meant: timeout, cut, proxy page, 3xx or 5xx."""


class VoltusAuthError(VoltusError):
    """Voltus refused the API key."""


class VoltusRateLimitError(VoltusError):
    """Voltus asked us to slow down (429)."""

    def __init__(self, message: str, retry_after: str | None = None) -> None:
        """Keep the `Retry-After` header as it was sent: seconds, a date, or neither."""
        super().__init__(message)
        self.retry_after = retry_after


class VoltusNotFoundError(VoltusError):
    """Voltus knows nothing under this id (404)."""


class VoltusRequestError(VoltusError):
    """Voltus understood the request and refuses it (another 4xx), in its own words."""


class VoltusTooLargeError(VoltusRequestError):
    """Voltus takes less in one request (413)."""


class VoltusFormatError(VoltusError):
    """An answer came, but not of the shape that the API promises."""
