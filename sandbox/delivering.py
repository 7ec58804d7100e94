"""Calling those who listen: the handshake, and deliveries until they are taken."""

import asyncio
from http import HTTPStatus

from aiohttp import ClientError, ClientSession, ClientTimeout

from .webhooks import HANDSHAKE

_TIMEOUT = ClientTimeout(total=10)


async def take(url: str, body: bytes) -> bool:
    """Call an address once. Return whether it has taken what was delivered: 2xx."""
    headers = {"Content-Type": "application/json"}
    try:
        async with (
            ClientSession(timeout=_TIMEOUT) as session,
            session.post(
                url, data=body, headers=headers, allow_redirects=False
            ) as response,
        ):
            return HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES
    except ClientError, TimeoutError, OSError, ValueError:
        return False


async def shake_hands(url: str, delay: float) -> bool:
    """Return whether who listens at an address answers the handshake."""
    if delay:
        await asyncio.sleep(delay)
    return await take(url, HANDSHAKE)
