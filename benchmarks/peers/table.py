"""The table of the comparison with peers, from its rows: as JSON and as a page."""

import statistics

from results import markdown_table

ANOMALIB, KERASAD = "anomalib", "kerasad"
METRICS = ("image_auroc", "pixel_auroc", "aupro", "iou_oracle")
COSTS = ("fit_seconds", "fit_memory_mb", "predict_memory_mb", "model_mb")
BATCHES = ("1", "8")
HEADER = (
    "model",
    "image AUROC",
    "pixel AUROC",
    "AUPRO",
    "IoU, best",
    "fit s",
    "ms an image, batch 1",
    "batch 8",
    "fit MB",
    "predict MB",
    "model MB",
    "trained on",
    "settings",
)
LEGEND = (
    "All metrics by kerasad's implementation on raw scores and maps, AUPRO to an FPR of .3; IoU, "
    "best: pooled pixels, at the best threshold, which needs the labels. fit s: from files or "
    "pixels to a saved model, without imports. ms an image: median of the rounds, from a decoded "
    "image to map and score (and decision, of kerasad); in rounds that alternate between both "
    "sides, a fresh process each. MB: peak of the process's memory; model MB: on disk."
)


def build_table(sections, seeds):
    """Summarizes what was measured.

    Args:
        sections: one dict a category: what is to be known of it, and under `models` for each model
            `side`, `model`, `accuracy` (a row or None for each seed) and `times` (rows).
        seeds: all seeds.

    Returns:
        dict, ready for JSON: for each category and model means with their range over the seeds,
        times with their range over the rounds, and under `ratios` how many times as long as each
        of kerasad's models the others take for an image.
    """
    categories = []
    for section in sections:
        models = [summarize(entry) for entry in section["models"]]
        section = {name: value for name, value in section.items() if name != "models"}
        ratios = compute_ratios(sections[len(categories)]["models"])
        categories.append({**section, "models": models, "ratios": ratios})
    return {"seeds": list(seeds), "categories": categories}


def summarize(entry):
    """One line of the table."""
    rows = [row for row in entry["accuracy"] if row is not None]
    line = {"side": entry["side"], "model": entry["model"], "seeds": len(rows)}
    for name in (*METRICS, *COSTS):
        line[name] = spread([row[name] for row in rows])
    for batch in BATCHES:
        line[f"ms_batch_{batch}"] = spread(round_times(entry, "model", batch).values(), True)
    loads = [row["load_before_fit"] for row in rows] + [
        row["load_before"] for row in entry["times"]
    ]
    line["load"] = max(loads, default=None)
    for name in ("train_images", "settings", "versions", "date", "machine"):
        line[name] = rows[0].get(name) if rows else None
    if rows and rows[0].get("epochs") is not None:
        line["settings"] = {**line["settings"], "epochs": rows[0]["epochs"]}
    return line


def compute_ratios(entries):
    """Returns times as multiples of those of kerasad's models, each within its round.

    Of the bare backbone the ratio is the other way round: how many times its forward pass the model
    takes, both measured in one process.
    """
    ratios = []
    for ours in (entry for entry in entries if entry["side"] == KERASAD):
        for batch in BATCHES:
            own = round_times(ours, "model", batch)
            found = {"model": ours["model"], "batch": int(batch), "times_as_long": {}}
            for other in entries:
                if other["side"] == ANOMALIB:
                    theirs = round_times(other, "model", batch)
                    both = [theirs[number] / own[number] for number in own if number in theirs]
                    found["times_as_long"][other["model"]] = spread(both, True)
            backbone = round_times(ours, "backbone", batch)
            both = [own[number] / backbone[number] for number in own]
            found["of_bare_backbone"] = spread(both, True)
            found["bare_backbone_ms"] = spread(backbone.values(), True)
            ratios.append(found)
    return ratios


def round_times(entry, what, batch):
    """Returns milliseconds an image by round; the median of those that a round has."""
    rounds = {}
    for row in entry["times"]:
        rounds.setdefault(row["round"], []).append(row["milliseconds"][what][batch])
    return {number: statistics.median(values) for number, values in sorted(rounds.items())}


def spread(values, median=False):
    """Returns the mean (or median), the lowest and the highest of what is not None."""
    values = [value for value in values if value is not None]
    if not values:
        return None
    middle = statistics.median(values) if median else statistics.fmean(values)
    return {"middle": middle, "lowest": min(values), "highest": max(values)}


def format_page(table):
    """Returns the table as Markdown."""
    parts = []
    for category in table["categories"]:
        lines = [line_cells(line, len(table["seeds"])) for line in category["models"]]
        parts += [f"## {category['data']}", describe(category), markdown_table(HEADER, lines)]
        if any(ratio["bare_backbone_ms"] for ratio in category["ratios"]):
            parts.append(ratio_table(category["ratios"]))
        found = [line for line in category["models"] if line["seeds"]]
        if found:
            parts.append(describe_conditions(found, category["threads"]))
    several = f"Mean over the seeds {', '.join(map(str, table['seeds']))} (lowest..highest). "
    parts.append((several if len(table["seeds"]) > 1 else "") + LEGEND)
    return "\n\n".join(parts) + "\n"


def line_cells(line, num_seeds):
    cells = [f"{line['side']} {line['model']}"]
    cells += [cell(line[name], 3, num_seeds > 1) for name in METRICS]
    cells.append(cell(line["fit_seconds"], 1))
    cells += [cell(line[f"ms_batch_{batch}"], 1) for batch in BATCHES]
    cells += [cell(line[name], 0) for name in COSTS[1:3]]
    cells.append(cell(line["model_mb"], 1))
    cells.append(line["train_images"])
    settings = {n: v for n, v in (line["settings"] or {}).items() if v is not None and n != "see"}
    cells.append(", ".join(f"{name} {value}" for name, value in settings.items()))
    return cells


def ratio_table(ratios):
    others = list(ratios[0]["times_as_long"])
    header = ["time an image", "batch", "bare backbone's ms", "times the bare backbone"]
    header += [f"{other} takes .. times as long" for other in others]
    lines = []
    for ratio in ratios:
        found = [ratio["bare_backbone_ms"], ratio["of_bare_backbone"]]
        found += [ratio["times_as_long"][other] for other in others]
        lines.append([ratio["model"], ratio["batch"], *(cell(value, 2, True) for value in found)])
    return markdown_table(header, lines)


def cell(value, digits, with_range=False):
    if value is None:
        return None
    text = f"{value['middle']:.{digits}f}"
    if with_range and value["lowest"] < value["highest"]:
        text += f" ({value['lowest']:.{digits}f}..{value['highest']:.{digits}f})"
    return text


def describe(category):
    height, width = category["size"]
    how = (
        "padded to keep aspect ratios (anomalib's scores see the padding)"
        if category["padded"]
        else "the whole frame"
    )
    how = "stretched" if category["stretch"] else how
    text = f"{height} x {width} pixels (height x width), {how}; {category['num_good']} good images"
    if category["max_train"] is not None:
        text += f", chosen at random so that kerasad trains on at most {category['max_train']}"
    text += f", {category['num_test']} test images"
    if category["without_mask"]:
        text += f", {category['without_mask']} of them defective without a usable mask, left out "
        text += "of pixel metrics"
    if category["features_check"]:
        worst = max(
            entry["difference"] / entry["largest"] for entry in category["features_check"].values()
        )
        text += f". Features of timm and kerasad differ by at most {worst:.1g} of the largest"
    return text + "."


def describe_conditions(lines, threads):
    versions = {}
    for line in lines:
        versions.update(line["versions"])
    dates = sorted({line["date"] for line in lines})
    text = ", ".join(f"{name} {version}" for name, version in versions.items())
    when = " to ".join(dict.fromkeys((dates[0], dates[-1])))
    load = max(line["load"] for line in lines)
    return (
        f"{lines[0]['machine']}, {when}; {text}; threads: {threads or 'as many as each library '}"
        f"{'' if threads else 'takes'}. Load average before a step at most {load:.1f}: times are "
        "those of an idle machine only where this is about what the step before left, one or two."
    )
