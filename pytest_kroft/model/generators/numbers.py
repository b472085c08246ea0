"""Numbers: integers, numeric, floats, money, and the counters of the system catalogs."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation, localcontext

from pytest_kroft.model import spellings
from pytest_kroft.model.conditions import NO_CONDITION, Condition
from pytest_kroft.model.generators.bits import Maker, Request, Span, pool_maker, span, span_maker
from pytest_kroft.model.generators.names import number_kind
from pytest_kroft.model.limits import LIMITS

_PLAIN = {"smallint": 9_999, "integer": 999_999, "bigint": 999_999_999, "xid8": 999_999, "money": 99_999}

WITH_BOUNDS = frozenset({"smallint", "integer", "bigint", "numeric", "real", "double precision"})
"""The types whose listed values are compared with the bounds of a check."""


def integer(request: Request) -> Maker:
    """smallint, integer, bigint, oid, xid, cid, xid8; unique ones read 1, 2, 3 and so on."""
    low, high = LIMITS[request.type.name]
    return _numbers(request, low, high, 0, str)


def money(request: Request) -> Maker:
    """money, from one cent on."""
    return _numbers(request, *LIMITS["money"], 2, spellings.money_text)


def numeric(request: Request) -> Maker:
    """numeric with or without precision, printed with its scale."""
    precision, scale = request.type.modifiers or (18, max([2, *_scales(request.condition)]))
    limit = 10**precision - 1
    return _numbers(request, -limit, limit, scale, lambda units: spellings.scaled_text(units, scale))


def floating(request: Request) -> Maker:
    """real and double precision, whose shortest decimal form is short."""
    double = request.type.name == "double precision"
    scale = max([2 if double else 1, *_scales(request.condition)])
    # So many significant digits always survive the way through binary (FLT_DIG, DBL_DIG).
    limit = 10**15 - 1 if double else 10**6 - 1
    power = 10**scale
    show = spellings.float8_text if double else _short_real
    return _numbers(request, -limit, limit, scale, lambda units: show(units / power))


def is_within(text: str, condition: Condition) -> bool:
    """Whether a number satisfies the bounds of a check."""
    number = Decimal(text)
    lower = [
        (bound, within) for constant, within in condition.lower if (bound := _decimal(constant)) is not None
    ]
    upper = [
        (bound, within) for constant, within in condition.upper if (bound := _decimal(constant)) is not None
    ]
    above = all(number > bound or (within and number == bound) for bound, within in lower)
    return above and all(number < bound or (within and number == bound) for bound, within in upper)


def _short_real(value: float) -> str:
    """A value of at most six digits, which are then its shortest form in single precision too."""
    return spellings.float8_text(value) if 1e-4 <= abs(value) < 1e6 else spellings.float4_text(value)


def boolean(request: Request) -> Maker:
    """Two values."""
    return pool_maker(("true", "false"))


def _scales(condition: Condition) -> list[int]:
    """Enough decimals to find values between the bounds of a check."""
    bounds = [_decimal(constant) for constant, _ in (*condition.lower, *condition.upper)]
    return [
        2 - int(bound.as_tuple().exponent)
        for bound in bounds
        if bound is not None and bound != bound.to_integral_value()
    ]


def _numbers(request: Request, low: int, high: int, scale: int, show: Callable[[int], str]) -> Maker:
    lowest, highest, counts = _narrowed(request.condition, low, high, scale)
    without = _excluded(request.condition, scale)
    one = 10 ** max(scale, 0)
    every = span(lowest, highest, start=one if counts else None, stride=one, without=without)
    if every.low > every.high or not every.size:
        return _numbers(Request(request.type, request.name), low, high, scale, show)
    return span_maker(_plausible(request, lowest, highest, scale, without) or every, every, show)


def _narrowed(condition: Condition, low: int, high: int, scale: int) -> tuple[int, int, bool]:
    """The bounds in units of the scale, from 1 on where nothing is said; and whether 1 is within them."""
    lower = [unit for bound in condition.lower if (unit := _above(bound, scale)) is not None]
    upper = [unit for bound in condition.upper if (unit := _below(bound, scale)) is not None]
    highest = min([high, *upper])
    lowest = max([low, *lower]) if lower or highest < 1 else 1
    if lowest > highest:  # a check that nothing satisfies
        return _narrowed(NO_CONDITION, low, high, scale)
    return lowest, highest, lowest <= 1 <= highest


def _plausible(request: Request, lowest: int, highest: int, scale: int, without: list[int]) -> Span | None:
    """The values that a person would expect under that name, within the bounds."""
    kind = number_kind(request.name)
    if kind:
        low, high = (_units(Decimal(bound), scale, ROUND_FLOOR) for bound in kind)
    else:
        low, high = 0, _PLAIN.get(request.type.name, 999_999 if scale else 99_999)
    if not request.condition.lower and low < lowest:
        lowest = max(low, LIMITS.get(request.type.name, (-highest,))[0])
    low, high = max(low, lowest), min(high, highest)
    if low > high:  # the check leaves none of them
        low, high = lowest, min(highest, lowest + 9_999)
    found = span(low, high, without=without)
    return found if found.size else None


def _excluded(condition: Condition, scale: int) -> list[int]:
    values = (_decimal(constant) for constant in condition.excluded)
    return [
        _units(value, scale, ROUND_FLOOR) for value in values if value is not None and _is_exact(value, scale)
    ]


def _is_exact(value: Decimal, scale: int) -> bool:
    return _units(value, scale, ROUND_FLOOR) == _units(value, scale, ROUND_CEILING)


def _above(bound: tuple[str, bool], scale: int) -> int | None:
    value = _decimal(bound[0])
    if value is None:
        return None
    unit = _units(value, scale, ROUND_CEILING)
    return unit + 1 if not bound[1] and _is_exact(value, scale) else unit


def _below(bound: tuple[str, bool], scale: int) -> int | None:
    value = _decimal(bound[0])
    if value is None:
        return None
    unit = _units(value, scale, ROUND_FLOOR)
    return unit - 1 if not bound[1] and _is_exact(value, scale) else unit


def _units(value: Decimal, scale: int, rounding: str) -> int:
    with localcontext() as context:
        context.prec = 2000
        return int(value.scaleb(scale).to_integral_value(rounding=rounding))


def _decimal(constant: str) -> Decimal | None:
    try:
        value = Decimal(constant.strip().lstrip("$").replace(",", ""))
    except InvalidOperation:
        return None
    return value if value.is_finite() and abs(value.adjusted()) < 1000 else None
