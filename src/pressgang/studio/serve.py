"""`pressgang studio serve`: the model answers Label Studio, and learns from it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def serve(
    model: Annotated[Path | None, typer.Option(help="Folder of the model to begin with.")] = None,
    state: Annotated[
        Path, typer.Option(help="Folder for new models and all that a restart needs.")
    ] = Path("models", "studio"),
    config: Annotated[
        Path | None, typer.Option(help="Run configuration, TOML; without it nothing is trained.")
    ] = None,
    url: Annotated[
        str, typer.Option(help="Label Studio to train from.", envvar="LABEL_STUDIO_URL")
    ] = "http://127.0.0.1:8080",
    project: Annotated[int | None, typer.Option(help="Number of the project to train on.")] = None,
    train_after: Annotated[
        int, typer.Option(min=0, help="New or changed annotations that start a training; 0: never.")
    ] = 20,
    quiet_seconds: Annotated[
        float, typer.Option(min=0, help="Wait until so long no annotation came.")
    ] = 60.0,
    held_out_share: Annotated[
        float, typer.Option(min=0, max=0.9, help="Share of the project kept to compare models on.")
    ] = 0.2,
    niceness: Annotated[
        int, typer.Option(min=0, max=19, help="How far training stands back behind other work.")
    ] = 10,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 9090,
    user: Annotated[str, typer.Option(help="User name that Label Studio gives.")] = "pressgang",
    predict_seconds: Annotated[
        float, typer.Option(min=1, help="Time for one /predict; Label Studio waits 100 s.")
    ] = 80.0,
    body_megabytes: Annotated[int, typer.Option(min=1, help="Largest request.")] = 32,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Answer Label Studio with the model, and train it on what is annotated there.

    Label Studio gives the password in PRESSGANG_BACKEND_PASSWORD; training reads the project with
    the token in LABEL_STUDIO_API_KEY.
    """
    from pressgang.model.folders import find_model
    from pressgang.studio.backend import command
    from pressgang.studio.backend.app import Limits
    from pressgang.studio.backend.training_process import TrainingSettings

    folder = find_model(model)
    training = None
    if config is not None:
        if project is None:
            raise ValueError("--config needs --project: the project to train on")
        training = TrainingSettings(
            str(config.resolve()), url, project, str(folder.resolve()), held_out_share, niceness
        )
    elif project is not None:
        raise ValueError("--project needs --config: how to train on it")
    command.run(
        model=folder,
        state=state,
        host=host,
        port=port,
        user=user,
        limits=Limits(predict_seconds, body_megabytes << 20),
        device=device,
        training=training,
        schedule=command.Schedule(train_after, quiet_seconds),
    )
