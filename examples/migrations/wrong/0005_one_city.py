"""Passes on every empty database, and on none that two customers of one city are in."""

from alembic import op

revision, down_revision = "0005", "0004"


def upgrade():
    op.create_index("one_of_a_city", "customers", ["city"], unique=True)


def downgrade():
    op.drop_index("one_of_a_city")
