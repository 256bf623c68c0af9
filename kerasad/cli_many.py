"""The verbs of many trainings: `tune` and `benchmark`."""

from typing import Any

import click

from kerasad.cli_group import Verb, complain, show
from kerasad.cli_options import (
    ARGUMENT_OPTIONS,
    CONFIG_OPTION,
    FOLDER,
    SEARCHED_MODEL,
    model_options,
    read_list,
    resolve_config,
    section_options,
)
from kerasad.cli_output import Outcome, Values
from kerasad.training.config import DataConfig, ModelConfig, TrainingConfig


@click.command(cls=Verb)
@click.argument("data")
@click.option("--output", required=True, type=FOLDER, help="Folder of the search.")
@click.option(
    "--trials",
    type=int,
    default=10,
    show_default=True,
    help="Number of trials, failed ones included.",
)
@click.option(
    "--tuner",
    type=click.Choice(["random", "bayesian", "hyperband"]),
    default="random",
    show_default=True,
    help="How trials are chosen.",
)
@click.option(
    "--overwrite", is_flag=True, help="Delete an existing search instead of continuing it."
)
@model_options(SEARCHED_MODEL)
@section_options(DataConfig)
@section_options(TrainingConfig, "epochs", "seed")
def tune(
    data: str,
    output: str,
    trials: int,
    tuner: str,
    overwrite: bool,
    config: str | None,
    **options: Any,
) -> Values:
    """Search for a better configuration for the good images of DATA.

    The objective of a trial: how well its detector finds synthetic defects on validation images.
    Model options, and model arguments in --config, are kept as they are; the rest is searched.
    A search that was stopped continues when started again.
    """
    from kerasad import tuning

    resolved = resolve_config(data, config, options, SEARCHED_MODEL)
    search = tuning.tune(
        resolved, output, trials=trials, tuner=tuner, overwrite=overwrite, echo=show
    )
    return {"search": search.path, "trials": search.rows, "best": search.best}


@click.command(cls=Verb)
@click.argument("data", nargs=-1, required=True, metavar="DATA...")
@click.option("--output", required=True, type=FOLDER, help="Folder of the benchmark.")
@click.option("--models", help=f"Names, with commas. [default: {ModelConfig().name}]")
@click.option("--seeds", help=f"Numbers, with commas. [default: {TrainingConfig().seed}]")
@click.option(
    "--overwrite", is_flag=True, help="Delete an existing benchmark instead of continuing it."
)
@click.option("--keep-runs", is_flag=True, help="Keep every run; else only its numbers.")
@CONFIG_OPTION
@ARGUMENT_OPTIONS
@section_options(DataConfig)
@section_options(TrainingConfig, "epochs")
def benchmark(
    data: tuple[str, ...],
    output: str,
    models: str | None,
    seeds: str | None,
    overwrite: bool,
    keep_runs: bool,
    config: str | None,
    **options: Any,
) -> Outcome:
    """Train and evaluate models on the categories DATA, and write one table.

    Each DATA is what `kerasad train` takes, or a folder of categories. A benchmark that was stopped
    continues when started again: it measures the rows that are missing or failed. Categories,
    models and seeds can be added.
    """
    from kerasad.runs.benchmark import run_benchmark

    table = run_benchmark(
        resolve_config(data[0], config, options),
        data,
        output,
        models=() if models is None else read_list("models", models, str.strip, "names"),
        seeds=() if seeds is None else read_list("seeds", seeds, int, "numbers such as 0,1,2"),
        overwrite=overwrite,
        keep_runs=keep_runs,
        echo=show,
    )
    click.echo(f"\nWritten to {output}")
    if table["failed"]:
        complain(f"Rows failed: {' | '.join(table['failed'])}")
    return Outcome(table, code=1 if table["failed"] else 0)
