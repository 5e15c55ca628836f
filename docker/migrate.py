"""The migrate job, run as the database's owner: the schema, then the rights of the other roles.

The grants come after every migration, since a new table belongs to nobody but the owner.
"""

import os

import django


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hitl_platform.settings")
    django.setup()
    from django.core.management import call_command
    from django.db import connection, transaction

    from apps.audit.databases.roles import grant_statements

    call_command("migrate", interactive=False)
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in grant_statements("hitl_app", "hitl_auditor"):
            cursor.execute(statement)
    call_command("check", databases=["default"], deploy=True, fail_level="ERROR")


if __name__ == "__main__":
    main()
