"""A name is split at its first blank; without one there is no last name."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0003", "0002"


def upgrade():
    op.add_column("customers", sa.Column("first_name", sa.Text))
    op.add_column("customers", sa.Column("last_name", sa.Text))
    op.execute("""
        UPDATE customers SET first_name = split_part(name, ' ', 1),
            last_name = CASE WHEN position(' ' IN name) > 0 THEN substr(name, position(' ' IN name) + 1) END
    """)
    op.alter_column("customers", "first_name", nullable=False)
    op.drop_column("customers", "name")


def downgrade():
    op.add_column("customers", sa.Column("name", sa.Text))
    op.execute("UPDATE customers SET name = concat_ws(' ', first_name, last_name)")
    op.alter_column("customers", "name", nullable=False)
    op.drop_column("customers", "first_name")
    op.drop_column("customers", "last_name")
