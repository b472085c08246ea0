"""How numbers are printed, whatever the context of decimal that the caller works in."""

from __future__ import annotations

import decimal
from decimal import Decimal

import pytest

from pytest_kroft.model.spellings import decimal_text, float4_text, float8_text

STRICT = decimal.Context(
    prec=2, rounding=decimal.ROUND_UP, Emax=3, Emin=-3, clamp=1, traps=list(decimal.Context().flags)
)
"""Two digits, small exponents, and an error for whatever is not exact or not explicit."""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.2345678901234567e19, "1.2345678901234567e+19"),
        (1e23, "9.999999999999999e+22"),
        (1e20, "1e+20"),
        (-123456789012345680.0, "-1.2345678901234568e+17"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (0.1, "0.1"),
        (-0.0, "-0"),
    ],
)
def test_a_double_is_printed_alike_in_every_decimal_context(value: float, text: str) -> None:
    assert float8_text(value) == text
    with decimal.localcontext(STRICT):
        assert float8_text(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(16777216, "1.6777216e+07"), (0.1, "0.1"), (123456.7, "123456.7"), (1e-45, "1e-45")],
)
def test_a_single_is_printed_alike_in_every_decimal_context(value: float, text: str) -> None:
    assert float4_text(value) == text
    with decimal.localcontext(STRICT):
        assert float4_text(value) == text


def test_a_decimal_is_printed_alike_in_every_decimal_context() -> None:
    value = Decimal("12345678901234567890.1250")
    with decimal.localcontext(STRICT):
        assert decimal_text(value) == "12345678901234567890.1250"
        assert decimal_text(Decimal("-0.00")) == "0.00"
