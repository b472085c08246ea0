"""The geometric types, with coordinates that are short in decimal; none of them can be unique."""

from __future__ import annotations

from collections.abc import Callable

from pytest_kroft.model.generators.bits import Maker, Request, bits_of

_SIDE = 400


def _coordinate(bits: int) -> str:
    """A multiple of a quarter between -100 and 100."""
    quarters = bits % (2 * _SIDE + 1) - _SIDE
    return f"{quarters / 4:g}"


def _point(x: str, bits: int) -> str:
    return f"({x},{_coordinate(bits)})"


def point(request: Request) -> Maker:
    """``(x,y)``."""
    return _maker(lambda x, more: _point(x, more[0]))


def line(request: Request) -> Maker:
    """``{A,B,C}``, where A and B are not both zero."""
    return _maker(lambda x, more: f"{{{x},1,{_coordinate(more[0])}}}")


def segment(request: Request) -> Maker:
    """``[(x,y),(x,y)]``."""
    return _maker(lambda x, more: f"[{_point(x, more[0])},{_point(_coordinate(more[1]), more[2])}]")


def box(request: Request) -> Maker:
    """``(x,y),(x,y)``, the upper right corner first."""

    def show(x: str, more: list[int]) -> str:
        left = float(x) - (1 + more[0] % 40) / 4
        top, bottom = (more[1] % _SIDE + 1) / 4, -(more[2] % _SIDE) / 4
        return f"({x},{_short(top)}),({_short(left)},{_short(bottom)})"

    return _maker(show)


def path(request: Request) -> Maker:
    """Three points, open or closed."""

    def show(x: str, more: list[int]) -> str:
        opening, closing = "[]" if more[0] & 1 else "()"
        return f"{opening}{_corners(x, more)}{closing}"

    return _maker(show)


def polygon(request: Request) -> Maker:
    """``((x,y),...)``: three corners."""
    return _maker(lambda x, more: f"({_corners(x, more)})")


def circle(request: Request) -> Maker:
    """``<(x,y),r>``."""
    return _maker(lambda x, more: f"<{_point(x, more[0])},{_short((more[1] % _SIDE + 1) / 4)}>")


def _corners(x: str, more: list[int]) -> str:
    first = _point(x, more[1])
    return ",".join([first, *(_point(_coordinate(more[i]), more[i + 1]) for i in (2, 3))])


def _short(value: float) -> str:
    text = repr(value + 0.0)
    return text.removesuffix(".0")


def _maker(show: Callable[[str, list[int]], str]) -> Maker:
    """The first coordinate carries the number, the others are drawn."""

    def draw(bits: int) -> str:
        more = bits_of(bits, 6)
        return show(_coordinate(more[5]), more)

    return Maker(draw, lambda number, bits: show(str(number), bits_of(bits, 6)), 10**15)
