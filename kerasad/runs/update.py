"""The verb `update`: a run that has learnt from further good images, without the former ones."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from kerasad.data.provenance import ALL_PARTS
from kerasad.data.split import number_groups
from kerasad.data.tables import format_good_table
from kerasad.detector import AnomalyDetector
from kerasad.errors import InputError
from kerasad.runs.calibrate import describe_calibration
from kerasad.runs.folder import CONFIG, MODEL, create_run
from kerasad.runs.new_images import load_new_images
from kerasad.runs.run import Run, check_provenance, open_run, save_detector
from kerasad.training.config import RunConfig
from kerasad.training.locations import with_data
from kerasad.training.recipes import find_recipe


def update_run(
    run: Run,
    data: str,
    output: str | Path,
    *,
    folders: Mapping[str, Sequence[str]] | None = None,
    echo: Callable[[str], None] | None = None,
) -> Run:
    """Writes a new run, whose statistics are those of a run and of new good images together.

    The images of the run need not be there any more. The new ones calibrate, each scored by
    statistics that have not seen it; the rates stay those of the run.

    Args:
        run: Run. It stays as it is.
        data: str. Good images; those that the run knows are left out.
        output: str or Path. The folder to create.
        folders: mapping or None. See `calibrate_run`, also for `echo`.
        echo: function or None.

    Returns:
        The new run.

    Raises:
        InputError: `output` exists, the run cannot be updated (it has trained networks, cuts tiles
            or promises a guaranteed rate), or there are too few new images.
    """
    if (Path(output) / CONFIG).is_file():
        raise InputError(f"{output} exists: an update is a new run, choose another --output.")
    say = echo or (lambda _: None)
    with create_run(output) as work:
        config, content, model, detector = run.read_together(lambda: _read(run))
        known = check_provenance(run, detector.provenance).hashes(*ALL_PARTS)
        good = load_new_images(
            run, detector, with_data(config.data, data, **(folders or {})), known
        )
        if good.index is not None:
            say(format_good_table(good.index, len(good.records)))
        if good.num_known:
            say(f"Images that the run knows, which are left out: {good.num_known}.")
        summary = detector.calibration_summary()
        detector.update_crosswise(
            good.dataset,
            number_groups(good.records),
            false_alarm_rate=summary["false_alarm_rate"]["requested"],
            review_rate=detector.decision.review_rate,
        )
        detector.record_images(detector.provenance.with_further(good.records))
        (work / CONFIG).write_bytes(content)
        (work / MODEL).write_bytes(model)
        summary = save_detector(detector, work)
    say(describe_calibration(summary))
    if summary["note"]:
        say(f"Note: {summary['note']}")
    return open_run(output)


def _read(run: Run) -> tuple[RunConfig, bytes, bytes, AnomalyDetector]:
    """Returns all that a new run takes over; refuses a run that cannot be updated."""
    config = run.config
    check_updatable(config)
    parts = (run.part(name).read_bytes() for name in (CONFIG, MODEL))
    return config, *parts, run.load_detector()


def check_updatable(config: RunConfig) -> None:
    """Refuses a run that cannot learn from new images without its own.

    Raises:
        InputError: It has trained networks, cuts tiles or promises a guaranteed rate.
    """
    name = config.model.name
    recipe, reason = find_recipe(name), None
    if recipe.steps > 0:
        reason = f"the networks of {name} would have to be trained anew"
    elif not recipe.statistics:
        reason = f"{name} keeps nothing of the former images to go on from"
    elif config.data.crop_size is not None:
        reason = "it cuts tiles, and crops do not say which image they are of"
    elif config.training.strict:
        reason = "--strict asks for a guaranteed rate, and an update can only expect one"
    if reason is not None:
        raise InputError(
            f"The run cannot be updated: {reason}. Use `kerasad train` with all good images, "
            "former and new ones."
        )
