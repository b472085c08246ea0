"""The limits of the types that hold whole numbers."""

from __future__ import annotations

LIMITS = {
    "smallint": (-(2**15), 2**15 - 1),
    "integer": (-(2**31), 2**31 - 1),
    "bigint": (-(2**63), 2**63 - 1),
    "oid": (0, 2**32 - 1),
    "xid": (0, 2**32 - 1),
    "cid": (0, 2**32 - 1),
    "xid8": (0, 2**64 - 1),
    "money": (-(2**63), 2**63 - 1),
}
"""The smallest and the largest value of each type (PostgreSQL docs, chapter 8); money in cents."""
