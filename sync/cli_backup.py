"""The commands that keep the memory safe, and small: db backup, db restore, db retain, db migrate."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import click

from sync.app import data_folder, opened
from sync.cli_context import Context
from sync.retain import retain as expire


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.pass_obj
def backup(context: Context, file: Path) -> None:
    """Save everything Leadpact remembers into one file.

    It holds personal data, and only its owner can read it. Delete it when its time is over.
    """
    with opened(context.settings()) as app:
        made = app.store.archive.save(file, app.clock(), version("leadpact"))
    size = file.stat().st_size
    context.screen.say(f"{file}: {made.rows} rows of {len(made.tables)} tables, {size:,} bytes")
    context.screen.document(
        {
            "file": str(file),
            "rows": made.rows,
            "tables": {one.name: one.rows for one in made.tables},
            "bytes": size,
        }
    )


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--yes", is_flag=True, help="Do not ask; needed where nobody can answer.")
@click.pass_obj
def restore(context: Context, file: Path, *, yes: bool) -> None:
    """Replace everything Leadpact remembers by a backup; whoever was forgotten since stays forgotten.

    All of it is restored, or nothing. The first writing run afterwards needs a person's approval again.
    """
    with opened(context.settings()) as app:
        if not yes:
            click.confirm("Replace everything Leadpact remembers by this backup?", abort=True, err=True)
        done = app.store.archive.restore(file, app.clock())
    made, say = done.contents, context.screen.say
    say(f"restored {made.rows} rows of {len(made.tables)} tables, as of {made.made_at.isoformat()}")
    if done.migrated:
        say(f"brought up to this program: {', '.join(done.migrated)}")
    if done.erased_again:
        say(f"{done.erased_again} leads of people who were forgotten since were erased again")
    if not done.knew_erasures:
        say(
            "The database that was replaced knew of nobody who was forgotten. If it was new, run `leadpact forget`"
            f" again for everybody whose certificate is later than {made.made_at.isoformat()}."
        )
    say("Look at `leadpact plan`: the next writing run needs your approval.")
    context.screen.document(
        {
            "rows": made.rows,
            "made_at": made.made_at.isoformat(),
            "migrated": done.migrated,
            "erased_again": done.erased_again,
            "knew_erasures": done.knew_erasures,
        }
    )


@click.command("retain")
@click.option("--dry-run", is_flag=True, help="Only count.")
@click.pass_obj
def retain(context: Context, *, dry_run: bool) -> None:
    """Delete the history that is older than the periods of [privacy] allow."""
    settings = context.settings()
    periods: dict[str, int] = dict(settings.privacy.keep_days.items())
    with opened(settings) as app:
        counts = expire(app.memory(), periods, really=not dry_run)
    for table, count in counts.items():
        context.screen.say(f"{table}: {count} rows {'would go' if dry_run else 'deleted'}")
    context.screen.document({"deleted": counts, "dry_run": dry_run})


@click.command()
@click.pass_obj
def migrate(context: Context) -> None:
    """Bring the database up to this program."""
    settings = context.settings()
    with opened(settings) as app:
        applied = [migration.name for migration in app.store.migrated]
    where = data_folder(settings) if settings.database.embedded else "the configured server"
    context.screen.say(f"{where}: " + (f"applied {', '.join(applied)}" if applied else "up to date"))
    context.screen.document({"applied": applied})
