"""Cents become an amount."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0004", "0003"


def upgrade():
    op.drop_constraint("orders_cents_check", "orders")
    op.alter_column(
        "orders", "cents", new_column_name="amount", type_=sa.Numeric(12, 2), postgresql_using="cents / 100.0"
    )
    op.create_check_constraint("orders_amount_check", "orders", "amount BETWEEN 0 AND 10000")


def downgrade():
    op.drop_constraint("orders_amount_check", "orders")
    op.alter_column(
        "orders", "amount", new_column_name="cents", type_=sa.Integer, postgresql_using="amount * 100"
    )
    op.create_check_constraint("orders_cents_check", "orders", "cents BETWEEN 0 AND 1000000")
