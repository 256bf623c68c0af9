"""What `train` says in the end: the threshold, what it promises, how sure that is."""

from typing import Any

from kerasad.console import count_of


def describe_thresholds(summary: dict[str, Any]) -> str:
    """Returns what the thresholds of a run mean, in a few lines.

    Args:
        summary: dict, the content of `calibration.json`.
    """
    lines = [
        f"Threshold {summary['threshold']:.4g}: an image with a higher score is called defective.",
        f"  {_describe_promise(summary, summary['false_alarm_rate'], 'called defective')}",
    ]
    if summary["review_rate"] is not None:
        promise = _describe_promise(
            summary, summary["review_rate"], "called defective or to be reviewed"
        )
        lines += [
            f"Above {summary['review_threshold']:.4g} an image is to be reviewed.",
            f"  {promise}",
        ]
    return "\n".join(lines)


def _describe_promise(summary, rate, called):
    asked = f"{rate['requested']:.1%} asked for"
    if rate["expected"] is None:
        return f"It promises nothing about good images ({asked})."
    low, high = rate["interval_95"]
    if rate["guaranteed"] is None:
        about, share = "about ", f"Expected, not guaranteed: {rate['expected']:.1%}"
    else:
        about, share = "", f"Guaranteed on average: at most {rate['guaranteed']:.1%}"
    return (
        f"{share} of good images are {called} ({asked}).\n"
        f"  How sure: with {_describe_images(summary)} the true share lies in {about}{low:.1%} "
        f"to {high:.1%} (95 % interval)."
    )


def _describe_images(summary):
    count, groups = summary["num_images"], summary["num_groups"]
    scenes = f" of about {count_of(groups, 'scene')}" if groups < count else ""
    return f"{count_of(count, 'image')}{scenes}"
