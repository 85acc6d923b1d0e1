"""`pressgang studio ...`: the options of its commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pressgang.extras import require
from pressgang.studio.serve import serve

studio = typer.Typer(no_args_is_help=True)
studio.command()(serve)

Url = Annotated[str, typer.Option(help="Address of Label Studio.", envvar="LABEL_STUDIO_URL")]
Named = Annotated[
    str,
    typer.Option("--project", help="Number or title.", envvar="LABEL_STUDIO_PROJECT"),
]
Timeout = Annotated[float, typer.Option(min=0.001, help="Seconds that one request may take.")]
Model = Annotated[
    Path | None, typer.Option(help="Folder of a model, or the name of an installed one.")
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Bare = Annotated[bool, typer.Option("--bare", help="No proposals: tasks alone.")]
Inputs = Annotated[
    list[Path], typer.Argument(help=".txt, folder, .jsonl, or - for standard input.")
]
Title = Annotated[str, typer.Option(help="Title of the project.")]
Labeling = Annotated[Path, typer.Option(help="Labeling config, XML.")]
Guidelines = Annotated[
    Path | None, typer.Option(help="Markdown that annotators see; GUIDELINES.md beside the config.")
]

_URL = "http://127.0.0.1:8080"
_TITLE = "pressgang"
_CONFIG = Path("annotations", "labeling_config.xml")
_SECONDS = 60.0


@studio.callback()
def main() -> None:
    """Work with a running Label Studio: proposals in, annotations out."""
    for package in ("fastapi", "label_studio_sdk"):
        require(package, extra="studio")


@studio.command()
def init(
    url: Url = _URL,
    title: Title = _TITLE,
    labeling_config: Labeling = _CONFIG,
    guidelines: Guidelines = None,
    timeout: Timeout = _SECONDS,
) -> None:
    """Create the project from a labeling config, or bring it up to date."""
    from pressgang.studio import actions

    actions.init(actions.connected(url, timeout), title, labeling_config, guidelines)


@studio.command()
def push(
    inputs: Inputs,
    url: Url = _URL,
    project: Named = _TITLE,
    model: Model = None,
    given: Annotated[
        str | None,
        typer.Option(help="Send what is marked in the inputs, as proposals under this name."),
    ] = None,
    device: Device = "auto",
    timeout: Timeout = _SECONDS,
    *,
    bare: Bare = False,
) -> None:
    """Send documents as tasks with the model's proposals; what is there already is left alone."""
    from pressgang.studio import actions

    if sum((bare, given is not None, model is not None)) > 1:
        raise ValueError("give one of --model, --given and --bare")
    opened = actions.opened(url, project, timeout)
    actions.push(opened, inputs, model=model, device=device, given=given, bare=bare)


@studio.command()
def queue(
    url: Url = _URL,
    project: Named = _TITLE,
    model: Model = None,
    device: Device = "auto",
    timeout: Timeout = _SECONDS,
    show: Annotated[int, typer.Option(min=0, help="How many of the first to print.")] = 10,
) -> None:
    """Order the open tasks by what the model would learn from them, the most first."""
    from pressgang.studio import actions

    actions.queue(actions.opened(url, project, timeout), model=model, device=device, show=show)


@studio.command()
def pull(
    output: Annotated[Path, typer.Option(help="Export file to write or bring up to date.")],
    url: Url = _URL,
    project: Named = _TITLE,
    timeout: Timeout = _SECONDS,
) -> None:
    """Fetch finished annotations, as an export that `check` and `train` read."""
    from pressgang.studio import actions

    actions.pull(actions.opened(url, project, timeout), output)


@studio.command()
def review(
    url: Url = _URL,
    project: Named = _TITLE,
    model: Annotated[
        Path | None, typer.Option(help="Folder of a model; what it was trained on is left out.")
    ] = None,
    folds: Annotated[
        Path | None, typer.Option(help="OUTPUT of cross-validate over the same documents.")
    ] = None,
    device: Device = "auto",
    timeout: Timeout = _SECONDS,
) -> None:
    """Find likely label errors with models that have not seen the documents, and list the tasks."""
    from pressgang.studio import actions

    if (model is None) == (folds is None):
        raise ValueError("give either --model or --folds")
    opened = actions.opened(url, project, timeout)
    actions.review(opened, model=model, folds=folds, device=device)


@studio.command()
def agreement(
    url: Url = _URL,
    project: Named = _TITLE,
    timeout: Timeout = _SECONDS,
    *,
    show: Annotated[bool, typer.Option(help="List every difference, tab-separated.")] = False,
) -> None:
    """Compare the annotators of a project on the tasks that both finished: F1 and kappa."""
    from pressgang.studio import actions

    actions.agreement(actions.opened(url, project, timeout), show=show)


@studio.command()
def up(
    inputs: Annotated[
        list[Path] | None, typer.Argument(help="Documents to push: .txt, folder, .jsonl or -.")
    ] = None,
    title: Title = _TITLE,
    labeling_config: Labeling = _CONFIG,
    guidelines: Guidelines = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder in which the server keeps its data.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8080,
    email: Annotated[str, typer.Option(help="Name to log in with.")] = "annotator@localhost",
    model: Model = None,
    device: Device = "auto",
    *,
    bare: Bare = False,
) -> None:
    """Start a Label Studio on this machine with the project in it; Ctrl-C stops it.

    The first start installs the server in a folder of its own (a gigabyte) and asks for a password.
    """
    from pressgang.studio import actions

    if not labeling_config.is_file():  # told before a gigabyte is installed
        raise ValueError(f"{labeling_config}: no such file; give --labeling-config")
    with actions.server(data, port=port, email=email) as connected:
        project = actions.init(connected, title, labeling_config, guidelines)
        if inputs:
            actions.push(project, inputs, model=model, device=device, given=None, bare=bare)
        actions.wait(project, email)
