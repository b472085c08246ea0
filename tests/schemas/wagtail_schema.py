"""A Django project: the contrib apps and the apps of Wagtail, by Django's migrations."""

from __future__ import annotations

import psycopg

from tests.schemas.migrating import migrate

SCRIPT = """
import os

import django
from django.conf import settings
from django.core.management import call_command

contrib = "admin auth contenttypes sessions sites flatpages redirects messages postgres"
wagtail = "admin documents embeds images search sites snippets users"
wagtail_contrib = "forms redirects settings"
settings.configure(
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": os.environ["KROFT_HOST"],
            "PORT": os.environ["KROFT_PORT"],
            "USER": os.environ["KROFT_USER"],
            "PASSWORD": os.environ["KROFT_PASSWORD"],
            "NAME": os.environ["KROFT_DBNAME"],
        }
    },
    INSTALLED_APPS=[
        *(f"django.contrib.{name}" for name in contrib.split()),
        *(f"wagtail.{name}" for name in wagtail.split()),
        *(f"wagtail.contrib.{name}" for name in wagtail_contrib.split()),
        "wagtail",
        "modelcluster",
        "taggit",
    ],
    SECRET_KEY="not a secret",
    SITE_ID=1,
    STATIC_URL="/static/",
    USE_TZ=True,
    WAGTAIL_SITE_NAME="kroft",
    WAGTAILADMIN_BASE_URL="http://localhost",
    SILENCED_SYSTEM_CHECKS=["admin.E403", "admin.E408", "admin.E409", "admin.E410"],
    WAGTAILSEARCH_BACKENDS={"default": {"BACKEND": "wagtail.search.backends.database"}},
)
django.setup()
call_command("migrate", interactive=False, verbosity=0, skip_checks=True)
"""


def load(connection: psycopg.Connection) -> None:
    """Make the tables of Django's contrib apps and of Wagtail in the database the connection is open on."""
    info = connection.info
    settings = {
        "KROFT_HOST": info.host,
        "KROFT_PORT": str(info.port),
        "KROFT_USER": info.user,
        "KROFT_PASSWORD": info.password,
        "KROFT_DBNAME": info.dbname,
    }
    migrate(SCRIPT, settings)
