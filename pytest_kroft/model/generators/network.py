"""Identifiers and addresses: uuid, bytea, bit strings, network addresses, WAL and transaction positions."""

from __future__ import annotations

import ipaddress

from pytest_kroft.model import spellings
from pytest_kroft.model.generators.bits import Maker, Request, letters, scramble, span, span_maker

_PRIVATE = 10 << 24
_MAX_BYTES = 16
_MAX_BITS = 24
_LOCAL_MAC = {6: 0x02 << 40, 8: 0x02 << 56}
_PER_PAGE = 64
_PAGES = 2**31
_LSN_LOW = 0x1000_0000
"""Low halves from here on have eight digits, which every version prints alike."""


def uuids(request: Request) -> Maker:
    """Random (version 4) UUIDs; the 64 bits all go into the 122 free ones, so distinct bits never meet."""

    def draw(bits: int) -> str:
        text, rest = f"{bits:016x}", scramble(bits)
        fourth = "89ab"[rest & 3] + text[15] + f"{rest >> 8 & 255:02x}"
        return f"{text[:8]}-{text[8:12]}-4{text[12:15]}-{fourth}-{rest >> 16:012x}"

    # Bits are a bijection of the row number, so the number itself is not needed.
    return Maker(draw, lambda _, bits: draw(bits))


def bytea(request: Request) -> Maker:
    """Up to 16 bytes, or as many as a check asks for; unique ones start with the eight of the bijection."""
    condition = request.condition
    low = max(condition.min_length, 1)
    high = max(low, min(_MAX_BYTES, condition.max_length or _MAX_BYTES))

    def some(bits: int, size: int) -> str:
        text = ""
        while len(text) < size * 2:
            text, bits = text + f"{bits:016x}", scramble(bits)
        return "\\x" + text[: size * 2]

    def draw(bits: int) -> str:
        return some(scramble(bits), low + bits % (high - low + 1))

    if high < 8:
        return Maker(draw, lambda number, _: f"\\x{number:0{high * 2}x}", 256**high)
    return Maker(draw, lambda _, bits: some(bits, high))


def bits(request: Request) -> Maker:
    """bit(n), of exactly n bits."""
    size = request.type.modifiers[0]

    def draw(random: int) -> str:
        value = random
        for _ in range(size // 64):
            random = scramble(random)
            value = value << 64 | random
        return format(value & ((1 << size) - 1), f"0{size}b")

    return Maker(draw, lambda number, _: format(number, f"0{size}b"), 2**size if size < 64 else None)


def varying_bits(request: Request) -> Maker:
    """bit varying, of up to 24 bits."""
    longest = request.type.modifiers[0] if request.type.modifiers else None
    usual = min(longest or _MAX_BITS, _MAX_BITS)

    def draw(random: int) -> str:
        size = 1 + random % usual
        return format(scramble(random) & ((1 << size) - 1), f"0{size}b")

    capacity = None if longest is None or longest > 62 else 2 ** (longest + 1) - 1
    return Maker(draw, lambda number, _: letters(number + 1, "01"), capacity and capacity - 1)


def inet(request: Request) -> Maker:
    """Hosts in 10.0.0.0/8, now and then with a network's length or of IPv6; cidr: networks."""
    network = request.type.name == "cidr"

    def draw(random: int) -> str:
        address = _PRIVATE | random & 0xFFFFFF
        kind = random >> 24 & 7
        if kind == 0:
            return str(ipaddress.IPv6Address(0x2001_0DB8 << 96 | random >> 32)) + "/128"
        if kind < (6 if network else 2):
            return spellings.ipv4_text(address & 0xFFFFFF00 if network else address) + "/24"
        return spellings.ipv4_text(address) + "/32"

    every = span(0, 2**32 - 1, start=_PRIVATE + 1)
    return Maker(draw, lambda number, _: spellings.ipv4_text(every.at(number)) + "/32", every.size)


def hardware_address(request: Request) -> Maker:
    """macaddr and macaddr8, locally administered."""
    size = 6 if request.type.name == "macaddr" else 8
    base = _LOCAL_MAC[size]
    top = 1 << (8 * size - 8)
    usual = span(base, base + top - 1)
    return span_maker(
        usual, span(0, (1 << 8 * size) - 1, start=base + 1), lambda value: spellings.mac_text(value, size)
    )


def wal_position(request: Request) -> Maker:
    """pg_lsn."""

    def show(value: int) -> str:
        high, low = divmod(value, 2**32 - _LSN_LOW)
        return f"{high:X}/{low + _LSN_LOW:X}"

    every = span(0, 2**62)
    return span_maker(span(0, 2**36), every, show)


def snapshot(request: Request) -> Maker:
    """pg_snapshot and txid_snapshot: xmin, xmax and a transaction in progress."""

    def show(first: int, random: int) -> str:
        size = 2 + random % 8
        return f"{first}:{first + size}:{first + random % size}"

    return Maker(
        lambda random: show(700 + (random >> 16) % 100_000, random), lambda n, random: show(700 + n, random)
    )


def tuple_id(request: Request) -> Maker:
    """tid: a page and a place on it."""

    def show(number: int) -> str:
        page, place = divmod(number, _PER_PAGE)
        return f"({page},{place + 1})"

    return span_maker(span(0, 9_999), span(0, _PAGES * _PER_PAGE - 1), show)
