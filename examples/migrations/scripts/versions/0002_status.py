"""Orders have a status; those that are there are done."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0002", "0001"


def upgrade():
    op.add_column("orders", sa.Column("status", sa.Text, nullable=False, server_default="done"))
    op.alter_column("orders", "status", server_default="new")
    op.create_check_constraint("known_status", "orders", "status IN ('new', 'paid', 'done')")


def downgrade():
    op.drop_column("orders", "status")
