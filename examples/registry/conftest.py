"""Importing the module registers its tables, for every test in this folder."""

from __future__ import annotations

import examples.registry.shop  # noqa: F401
