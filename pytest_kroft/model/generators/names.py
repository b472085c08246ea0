"""What a column's name says about its values, and the pools of such values that Faker fills."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any

POOL_SIZE = 256
_POOL_SEED = 20_250

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

_NUMBERS = {
    "latitude": ("-90", "90"), "lat": ("-90", "90"),
    "longitude": ("-180", "180"), "lng": ("-180", "180"), "lon": ("-180", "180"),
    "age": ("18", "90"), "year": ("1990", "2030"), "month": ("1", "12"), "day": ("1", "28"),
    "hour": ("0", "23"), "minute": ("0", "59"), "quantity": ("1", "50"), "qty": ("1", "50"),
    "stock": ("0", "500"), "count": ("0", "500"), "score": ("0", "100"), "rating": ("1", "5"), "stars": ("1",
    "5"),
    "percent": ("0", "100"), "percentage": ("0", "100"), "discount": ("0", "50"), "rate": ("0", "1"),
    "cents": ("100", "99999"), "price": ("1", "999.99"), "amount": ("1", "9999.99"), "total": ("1",
    "9999.99"),
    "subtotal": ("1", "9999.99"), "cost": ("1", "999.99"), "fee": ("0", "99.99"), "tax": ("0", "999.99"),
    "balance": ("0", "99999.99"), "salary": ("20000", "150000"), "weight": ("0.1", "200"), "height": ("1",
    "250"),
    "width": ("1", "250"), "length": ("1", "250"), "port": ("1024", "32767"), "position": ("0", "100"),
    "priority": ("1", "5"), "level": ("1", "10"), "version": ("1", "50"), "temperature": ("-20", "40"),
}  # fmt: skip
"""A word of a column's name -> the plausible values of a number under it."""

_TEXTS = {
    "email": "email", "mail": "email", "first_name": "first_name", "firstname": "first_name",
    "given_name": "first_name", "last_name": "last_name", "lastname": "last_name", "surname": "last_name",
    "family_name": "last_name", "user_name": "user_name", "username": "user_name", "login": "user_name",
    "full_name": "name", "company": "company", "company_name": "company", "employer": "company",
    "job": "job", "profession": "job", "occupation": "job", "phone": "phone", "telephone": "phone",
    "mobile": "phone",
    "street": "street_address", "address": "street_address", "city": "city", "town": "city",
    "state": "state", "country": "country", "country_code": "country_code", "zip": "postcode",
    "postcode": "postcode",
    "postal_code": "postcode", "zipcode": "postcode", "url": "url", "website": "url", "homepage": "url",
    "link": "url",
    "domain": "domain_name", "hostname": "domain_name", "currency": "currency_code",
    "currency_code": "currency_code",
    "color": "color_name", "colour": "color_name", "language": "language_name", "locale": "locale",
    "timezone": "timezone", "description": "sentence", "comment": "sentence", "note": "sentence",
    "notes": "sentence",
    "body": "sentence", "bio": "sentence", "summary": "sentence", "message": "sentence",
    "title": "catch_phrase",
    "subject": "catch_phrase", "headline": "catch_phrase", "slug": "slug", "status": "status", "name": "name",
    "category": "category", "type": "category", "kind": "category", "product_name": "product",
    "product": "product",
    "filename": "file_name", "file_name": "file_name", "mime_type": "mime_type", "user_agent": "user_agent",
    "uuid": "token", "guid": "token", "token": "token", "hash": "token", "sku": "code", "code": "code",
    "ip": "ipv4", "ip_address": "ipv4",
}  # fmt: skip
"""Words of a column's name -> the kind of its texts."""

_OWN = {
    "status": "new active pending paid shipped delivered cancelled closed archived failed",
    "category": "books music garden kitchen sports toys office travel health tools",
    "product": "lamp chair table kettle bicycle notebook umbrella backpack clock blanket teapot scarf",
}

WORDS = tuple(
    """amber anchor apple autumn bamboo beacon birch bridge candle canyon cedar cherry cliff clover coral
    copper cotton crystal daisy delta desert dune ember fern field flint forest garden ginger glacier granite
    harbor hazel heron hollow indigo island ivory jasmine juniper lagoon lantern lemon lilac linen lotus maple
    marble meadow mist moss nectar oak ocean olive onyx orchid pebble pepper pine plum prairie quartz raven
    reed ridge river robin rose saffron sand sparrow spruce stone summer thistle timber tulip valley velvet
    violet walnut willow winter wren café naïve jalapeño señor Zürich Łódź""".split()
)
"""Plain words, a few of them with letters beyond ASCII."""


@lru_cache(maxsize=4096)
def words_of(name: str) -> tuple[str, ...]:
    """The words of a column's name in lower case: ``customerEmail_2`` is customer, email, 2."""
    return tuple(word.lower() for word in _WORD.findall(name))


def number_kind(name: str) -> tuple[str, str] | None:
    """The plausible bounds of a number of that name, or None."""
    return next((_NUMBERS[word] for word in reversed(words_of(name)) if word in _NUMBERS), None)


def text_kind(name: str) -> str | None:
    """The kind of text that a column of that name holds, or None: the longest match that stands last."""
    words = words_of(name)
    for last in range(len(words), 0, -1):
        for size in (2, 1):
            kind = _TEXTS.get("_".join(words[max(last - size, 0) : last]))
            if kind:
                return kind
    return None


@cache
def pool(kind: str) -> tuple[str, ...]:
    """The texts of one kind, the same in every run with the same Faker; imports Faker where it must."""
    if kind in _OWN:
        return tuple(_OWN[kind].split())
    make = getattr(_faker(kind), kind if kind != "phone" else "basic_phone_number")
    texts = (" ".join(str(make()).split()) for _ in range(POOL_SIZE))
    return tuple(dict.fromkeys(text for text in texts if text))


def _faker(kind: str) -> Any:
    from faker import Faker

    faker = Faker("en_US", use_weighting=False)
    # Each kind has a seed of its own, so that the pools do not depend on which was asked for first.
    faker.seed_instance(f"{_POOL_SEED}:{kind}")
    return faker
