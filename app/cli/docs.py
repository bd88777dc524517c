"""`gatehouse docs`: print the reference tables of settings, metrics and error codes, made from the code."""

from __future__ import annotations

from pathlib import Path

import click

from app import errors
from app.observability.metrics import REGISTRY
from app.settings import Settings

GENERATED = "<!-- made by `gatehouse docs --write`; a test compares it -->"


def settings_table() -> str:
    """Return docs/settings.md."""
    lines = [
        "# Settings",
        GENERATED,
        "",
        "Environment variables. A secret can also come from a file: `NAME_FILE`.",
        "",
    ]
    lines += ["| variable | default | meaning |", "|---|---|---|"]
    for field in Settings.model_fields.values():
        extra = field.json_schema_extra
        assert isinstance(extra, dict)
        default = field.get_default()
        shown = "" if default is None or default == () else f"`{default}`"
        secret = " Secret." if extra["secret"] else ""
        lines.append(f"| `{extra['variable']}` | {shown} | {field.description}{secret} |")
    return "\n".join(lines) + "\n"


def metrics_table() -> str:
    """Return docs/metrics.md."""
    lines = ["# Metrics", GENERATED, "", "`GET /metrics` of every process, in Prometheus' text format.", ""]
    lines += ["| metric | type | labels | meaning |", "|---|---|---|---|"]
    collectors = {id(c): c for c in REGISTRY._collector_to_names}  # noqa: SLF001 - labels are nowhere public
    for collector in collectors.values():
        labels = ", ".join(f"`{name}`" for name in getattr(collector, "_labelnames", ()))
        for metric in collector.describe() if hasattr(collector, "describe") else ():
            if not metric.name.startswith(("process_", "python_")):
                suffix = "_total" if metric.type == "counter" else ""
                lines.append(
                    f"| `{metric.name}{suffix}` | {metric.type} | {labels} | {metric.documentation} |"
                )
    return "\n".join([*lines[:7], *sorted(lines[7:])]) + "\n"


def errors_table() -> str:
    """Return docs/errors.md."""
    lines = ["# Error codes", GENERATED, "", "As they appear in logs and on stderr (seed S3).", ""]
    lines += ["| code | meaning | what to do |", "|---|---|---|"]
    every = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    kinds = [kind for kind in every if issubclass(kind, errors.AppError) and kind.code]
    for kind in sorted(kinds, key=lambda kind: str(kind.code)):
        lines.append(f"| {kind.code} | {(kind.__doc__ or '').strip()} | {kind.remedy} |")
    return "\n".join(lines) + "\n"


TABLES = {"settings.md": settings_table, "metrics.md": metrics_table, "errors.md": errors_table}


@click.command()
@click.option("--write", is_flag=True, help="Write docs/*.md below the current folder instead of printing.")
def docs(write: bool) -> None:
    """Print the reference tables of settings, metrics and error codes."""
    for name, table in TABLES.items():
        if write:
            Path("docs", name).write_text(table(), encoding="utf-8")
        else:
            click.echo(table())
