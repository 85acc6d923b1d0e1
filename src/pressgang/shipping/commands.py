"""`pressgang export` and `pressgang package`: a model for those who only predict."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

shipping = typer.Typer()
_messages = Console(stderr=True, markup=False, highlight=False)


@shipping.command()
def export(
    model: Annotated[Path, typer.Argument(help="Folder of a trained model.")],
    output: Annotated[Path, typer.Option(help="Folder to write to.")],
    data: Annotated[list[Path], typer.Option(help="Label Studio export to compare both on.")],
    labeling_config: Annotated[
        Path | None, typer.Option(help="Labeling config, XML: known labels.")
    ] = None,
) -> None:
    """Export a model to ONNX in 8 bits, to predict without torch; a worse one is refused."""
    from pressgang.label_studio.labeling_config import read_labeling_config
    from pressgang.learning.run_data import read_gold
    from pressgang.shipping.export import export as export_model

    labels = None if labeling_config is None else read_labeling_config(labeling_config)
    export_model(model, output, read_gold(data, labels, _messages), say=_messages.print)
    _messages.print(f"export written to {output}")


@shipping.command()
def package(
    model: Annotated[Path, typer.Option(help="Folder of an exported model.")],
    name: Annotated[str, typer.Option(help="Name of the package, and of the model in it.")],
    version: Annotated[str, typer.Option(help="Version of the package.")],
    output: Annotated[Path, typer.Option(help="Folder for the wheel.")] = Path("dist"),
) -> None:
    """Build a wheel of an exported model; once installed, `--model NAME` finds it."""
    from pressgang.shipping.wheel import build_wheel

    wheel = build_wheel(model, output, name=name, version=version)
    _messages.print(f"{wheel} written; after `pip install {wheel}` it is --model {name}")
