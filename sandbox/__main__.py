"""`python -m sandbox`: run the local Voltus until Ctrl-C."""

import argparse
import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
import os
import sys

from .guide import guide
from .server import PUBLIC_KEY, LocalVoltus, serve

_HIGHEST_PORT = 65535


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > _HIGHEST_PORT:
        raise argparse.ArgumentTypeError(
            f"a port is a number from 0 to {_HIGHEST_PORT}"
        )
    return int(text)


def _key(text: str) -> str:
    if text == PUBLIC_KEY:
        raise argparse.ArgumentTypeError(
            f"{PUBLIC_KEY} is the public key, which works anyway"
        )
    return text


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox", description="A local Voltus, on 127.0.0.1 only."
    )
    parser.add_argument(
        "--port",
        type=_port,
        default=8930,
        help="0 lets the system choose (default: 8930)",
    )
    parser.add_argument(
        "--key",
        type=_key,
        action="append",
        default=["sandbox-key"],
        help="another API key, with an account of its own; may be given again",
    )
    return parser.parse_args(arguments)


async def run(voltus: LocalVoltus, port: int) -> None:
    """Print what it offers, and serve it for ever. Raises OSError."""
    async with serve(voltus, port) as url:
        print(guide(url, next(iter(voltus.accounts)), datetime.now(UTC)), flush=True)
        await asyncio.Event().wait()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; return the exit status."""
    options = _parse(arguments)
    try:
        with suppress(KeyboardInterrupt):
            asyncio.run(run(LocalVoltus(options.key), options.port))
    except OSError as err:
        print(
            f"Port {options.port}: {os.strerror(err.errno or 0)}. "
            "Choose another with --port, or 0 for any.",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
