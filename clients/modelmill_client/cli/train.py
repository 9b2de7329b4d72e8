"""`modelmill train`"""

import csv
import json
from typing import Annotated, Any

import typer

from modelmill_client.cli.command import command
from modelmill_client.cli.jobs import finish, follow
from modelmill_client.cli.session import Session
from modelmill_client.errors import InvalidInput


def train(
    session: Session,
    dataset: Annotated[str, typer.Argument(help="Id, or name (then the newest of that name).")],
    model: Annotated[str, typer.Option(help="Name of the model; a new version is added where it exists.")],
    target: Annotated[str | None, typer.Option(help="The column to predict, if any; by default the dataset's.")] = None,
    algorithm: Annotated[
        str | None, typer.Option(help="See `modelmill algorithms`; by default several are tried.")
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            help="regression, binary, multiclass or forecasting, or without a target clustering, anomaly_detection or "
            "embedding; "
            "by default what the target says."
        ),
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A hyper-parameter; may be repeated.")
    ] = None,
    features: Annotated[
        str | None, typer.Option(help="Columns to use, as a line of CSV; by default all, in forecasting none.")
    ] = None,
    promote: Annotated[bool, typer.Option("--promote", help="Serve the new version as soon as it is ready.")] = False,
    seed: Annotated[int | None, typer.Option(help="Same seed, same data: same model.")] = None,
    trials: Annotated[
        int | None, typer.Option(help="Search for the hyper-parameters that are not --set, with so many trials.")
    ] = None,
    tune_timeout: Annotated[int | None, typer.Option(help="Seconds that the search may take.")] = None,
    metric: Annotated[str | None, typer.Option(help="What the search is judged by, such as f1 or rmse.")] = None,
    quantize: Annotated[
        str | None, typer.Option(help="Keep the weights as int8 or float16, where the model is as good with them.")
    ] = None,
    max_metric_loss: Annotated[
        float | None, typer.Option(help="What --quantize may cost of the metric on held-out rows; by default 0.01.")
    ] = None,
    time: Annotated[
        str | None, typer.Option(help="Forecasting: the column of timestamps; by default the only one.")
    ] = None,
    series: Annotated[str | None, typer.Option(help="Forecasting: the column that names the series.")] = None,
    horizon: Annotated[int | None, typer.Option(min=1, max=1000, help="Forecasting: steps ahead.")] = None,
    base_model: Annotated[
        str | None, typer.Option(help="Texts: what bert starts from, by id or name; see `modelmill base-models`.")
    ] = None,
    instance_type: Annotated[
        str | None,
        typer.Option(help="The machine to train on, one that `modelmill usage` lists; by default one that suits."),
    ] = None,
    instance_count: Annotated[int | None, typer.Option(min=1, help="Machines that train a net together.")] = None,
    spot: Annotated[
        bool, typer.Option("--spot", help="On cheaper capacity that may be taken away; the job then goes on elsewhere.")
    ] = False,
    max_runtime: Annotated[int | None, typer.Option(help="Seconds after which the job is stopped.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Follow the job to its end.")] = False,
) -> None:
    """Train a model on a dataset."""
    found = session.client.datasets.find(dataset)
    job = session.client.training_jobs.create(
        found["dataset_id"],
        model,
        target,
        features=_names(features) if features is not None else None,
        task=task,
        algorithm=algorithm,
        hyperparameters=dict(_setting(text) for text in settings) if settings else None,
        promote=True if promote else None,
        seed=seed,
        tuning=_asked(trials=trials, timeout_s=tune_timeout, metric=metric),
        compute=_asked(
            instance_type=instance_type,
            instance_count=instance_count,
            spot=spot or None,
            max_runtime_s=max_runtime,
        ),
        optimize=_optimize(quantize, max_metric_loss),
        time=time,
        series=series,
        horizon=horizon,
        base_model=session.client.base_models.find(base_model)["base_model_id"] if base_model else None,
    )
    if watch:
        session.remark(f"{job['job_id']} is {job['status']}")
        finish(session, follow(session, job["job_id"]))
    else:
        session.show(job, f"{job['job_id']} is {job['status']}; `modelmill jobs {job['job_id']} --watch` follows it")


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, "train")(train)


def _names(line: str) -> list[str]:
    return [name.strip() for name in next(csv.reader([line], skipinitialspace=True), [])]


def _asked(**options: Any) -> dict[str, Any] | None:
    """The options that were given, if any."""
    return {name: value for name, value in options.items() if value is not None} or None


def _optimize(quantize: str | None, loss: float | None) -> dict[str, Any] | None:
    if quantize is None and loss is not None:
        raise InvalidInput("--max-metric-loss is for --quantize int8 or --quantize float16, which is not given")
    return _asked(quantize=quantize, max_metric_loss=loss)


def _setting(text: str) -> tuple[str, Any]:
    """A hyper-parameter: JSON where it is JSON (numbers, true, [64, 32]), text elsewhere."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise InvalidInput(f"--set got {text!r}, expected NAME=VALUE such as learning_rate=0.01")
    try:
        return name.strip(), json.loads(value)
    except ValueError:
        return name.strip(), value
