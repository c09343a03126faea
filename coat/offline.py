"""No network: COAT_OFFLINE or HF_HUB_OFFLINE in the environment forbid all of it but for servers on this machine."""

import ipaddress
import os
from urllib.parse import urlsplit

SWITCHES = ("COAT_OFFLINE", "HF_HUB_OFFLINE")
GO_ONLINE = f"leave out --offline, and unset {' and '.join(SWITCHES)}"
"""What to do who wants the network."""


def go_offline() -> None:
    """Forbid the network to this process and to those that it starts; call it before anything is loaded."""
    os.environ.update(dict.fromkeys(SWITCHES, "1"))


def is_offline() -> bool:
    """Whether the network is forbidden."""
    return any(os.environ.get(switch, "").casefold() not in ("", "0", "false", "no", "off") for switch in SWITCHES)


def is_local(url: str) -> bool:
    """Whether the host of `url` is this machine.

    >>> is_local("http://127.0.0.1:8080/v1"), is_local("https://api.example.org")
    (True, False)
    """
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
