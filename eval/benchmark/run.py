"""Train and score other packages on the data of pressgang, with its scorer.

    python eval/benchmark/run.py data
    python eval/benchmark/run.py train PEER... [--protocol articles] [--fold N]
    python eval/benchmark/run.py table

README.md beside this file says what is compared and how.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import protocols
import systems
import table

HERE = Path(__file__).resolve().parent
ANNOTATIONS = HERE.parents[1] / "annotations"
ROOT = Path.home() / ".cache" / "pressgang-benchmark"


def main() -> None:
    """Run a command; wrong input is one line on standard error and exit status 2."""
    arguments = _parser().parse_args()
    try:
        if arguments.command == "data":
            for record in protocols.write_parts(ANNOTATIONS, arguments.root):
                systems.say(f"{record['protocol']} {record['number']}: {record['train']}")
        elif arguments.command == "train":
            _train(arguments)
        else:
            table.write_table(arguments.root, HERE.parent / "ablation", HERE)
    except (ValueError, OSError) as error:
        sys.exit(_failed(" ".join(str(error).split())))


def _failed(message: str) -> int:
    systems.say(f"benchmark: {message}")
    return 2


def _train(arguments: argparse.Namespace) -> None:
    """Train each system on each part that is asked for, what is done left out."""
    chosen = [
        part
        for part in protocols.parts(arguments.root)
        if part.protocol == arguments.protocol and arguments.fold in {None, part.number}
    ]
    if not chosen:
        raise ValueError(f"{arguments.protocol} has no fold {arguments.fold}")
    for name in arguments.systems:
        for part in chosen:
            systems.train(
                systems.PEERS[name],
                part,
                arguments.root,
                threads=arguments.threads,
                passes=arguments.passes * protocols.PASSES[part.protocol],
                limit=arguments.limit,
                max_steps=arguments.max_steps,
            )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--root", type=Path, default=ROOT, help=f"folder for all, not {ROOT}")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("data", help="write training and test files")
    train = commands.add_parser("train", help="train peers and keep what they predict")
    train.add_argument("systems", nargs="+", choices=list(systems.PEERS), metavar="PEER")
    train.add_argument("--protocol", choices=list(protocols.PROTOCOLS), default="written")
    train.add_argument("--fold", type=int, help="only this fold")
    train.add_argument("--threads", type=int, default=1)
    train.add_argument("--passes", type=int, default=1, help="so many times the epochs")
    train.add_argument("--limit", type=int, help="a trial: only so many documents")
    train.add_argument("--max-steps", type=int, help="a trial: only so many steps")
    commands.add_parser("table", help="score what is there and write table.md")
    return parser


if __name__ == "__main__":
    main()
