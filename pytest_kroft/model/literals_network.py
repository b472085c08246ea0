"""Addresses of networks and of hardware."""

from __future__ import annotations

import ipaddress
import re

from pytest_kroft.errors import ValueRefused
from pytest_kroft.model import spellings
from pytest_kroft.model.types import SqlType

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def read_address(sql_type: SqlType, value: object) -> str | None:
    """The text of an inet or cidr, whose cast to text always shows the length of the network.

    Takes a string or an object of ``ipaddress``; None for a shorthand such as ``10.1/16``. Raises
    ValueRefused for a cidr of a host within a network.
    """
    if not isinstance(value, str | ipaddress.IPv4Address | ipaddress.IPv6Address | _Network):
        return None
    try:
        face = ipaddress.ip_interface(value)
    except ValueError:
        return None
    if isinstance(value, str) and ("%" in value or re.search(r"/.*\.", value)):
        return None
    if sql_type.name == "cidr" and face.ip != face.network.network_address:
        raise ValueRefused(value, str(sql_type), "it has bits set to the right of the mask")
    host = ipv6_text(face.ip) if isinstance(face.ip, ipaddress.IPv6Address) else str(face.ip)
    return f"{host}/{face.network.prefixlen}"


def ipv6_text(address: ipaddress.IPv6Address) -> str:
    """An IPv6 address as the server prints it: with dots where it maps an IPv4 address."""
    high, low = divmod(int(address), 1 << 32)
    if high == 0xFFFF or (high == 0 and low > 0xFFFF):
        return f"::{'ffff:' if high else ''}{spellings.ipv4_text(low)}"
    return ipaddress.IPv6Address(int(address)).compressed


def read_hardware_address(sql_type: SqlType, value: object) -> str | None:
    """The text of a macaddr or macaddr8 given as bytes between colons or dashes; None for other forms."""
    size = 6 if sql_type.name == "macaddr" else 8
    if not isinstance(value, str):
        return None
    if re.fullmatch(
        rf"\s*[0-9a-fA-F]{{2}}(?:([:-])[0-9a-fA-F]{{2}})(?:\1[0-9a-fA-F]{{2}}){{{size - 2}}}\s*", value
    ):
        return value.strip().replace("-", ":").lower()
    return None
