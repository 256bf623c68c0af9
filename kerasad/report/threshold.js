// The threshold: the line in the histogram, what it counts, and the rate that it promises.

const STEPS = 2000;

const shownHistogram = () => document.querySelector(`.histogram[data-run="${report.shown}"] svg`);

function addLines() {
  for (const histogram of document.querySelectorAll(".histogram svg")) {
    const run = report.runs[histogram.closest(".histogram").dataset.run];
    for (const kind of ["cut forced", "cut"]) {
      const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
      line.setAttribute("class", kind);
      line.setAttribute("y1", histogram.dataset.top);
      line.setAttribute("y2", histogram.dataset.bottom);
      histogram.append(line);
      moveLine(histogram, line, run.threshold);
    }
  }
}

function placeOf(svg, x) {
  const { left, right, x0, x1 } = svg.dataset;
  const level = Math.min(1, Math.max(0, (x - x0) / (x1 - x0)));
  return Number(left) + level * (right - left);
}

function moveLine(svg, line, x) {
  const place = placeOf(svg, x);
  line.setAttribute("x1", place);
  line.setAttribute("x2", place);
}

function setThreshold(value, fromSlider = false) {
  const run = current(), histogram = shownHistogram();
  run.trial = value;
  moveLine(histogram, histogram.querySelector(".cut:not(.forced)"), value);
  const band = histogram.querySelector(".band");
  if (band) {
    const from = placeOf(histogram, run.review);
    band.setAttribute("width", Math.max(0, placeOf(histogram, value) - from));
  }
  const { x0, x1 } = histogram.dataset;
  if (!fromSlider) byId("slider").value = Math.round(STEPS * (value - x0) / (x1 - x0));
  byId("slider").setAttribute("aria-valuetext", brief(value));
  byId("number").value = value === run.threshold ? Number(value.toPrecision(9)) : brief(value);
  byId("reset").disabled = value === run.threshold;
  const counts = countVerdicts(run);
  showCounts(run, counts);
  showPromise(run);
  moveMarks(run, counts);
  showImages();
}

function showCounts(run, counts) {
  const parts = [];
  if (counts.good) parts.push(`${counts["false-alarms"]} of ${counts.good} good images raise a false alarm`);
  if (counts.defective) parts.push(`${counts.misses} of ${counts.defective} defective images are missed`);
  const what = run.trial === run.threshold ? "At the threshold in force" : `At ${brief(run.trial)}`;
  byId("trial").textContent = `${what}, ${parts.join(", and ")}.`;
  for (const cell of document.querySelectorAll("[data-cell]")) {
    const name = cell.dataset.cell;
    const list = name.endsWith("review") ? "review" : name;
    cell.replaceChildren(make("button", {
      type: "button", "aria-label": `${counts[name]}, show ${VERDICTS[list].title.toLowerCase()}`,
      onclick: () => { report.filter = list; showImages(); byId("images").scrollIntoView(); },
    }, String(counts[name])));
    cell.classList.toggle("wrong", (name === "false-alarms" || name === "misses") && counts[name] > 0);
  }
  for (const cell of document.querySelectorAll(".matrix .review")) cell.classList.toggle("none", !hasBand(run));
  for (const row of document.querySelectorAll("[data-truth]")) row.hidden = !counts[row.dataset.truth];
  showVerdictButtons(counts, hasBand(run));
}

function showPromise(run) {
  byId("promised").textContent = describePromise(run, run.trial).text;
  const adoption = describeAdoption(run, run.trial);
  if (adoption.length) adoption.push(" A rate that is chosen by looking at test images makes their numbers too good.");
  byId("adopt").replaceChildren(...adoption);
}

function moveMarks(run, counts) {
  const found = counts.defective ? counts.found / counts.defective : 0;
  const alarms = counts.good ? counts["false-alarms"] / counts.good : 0;
  const flagged = counts.found + counts["false-alarms"];
  const points = { "roc": [alarms, found], "pr": [found, flagged ? counts.found / flagged : 1] };
  for (const [name, point] of Object.entries(points)) {
    const mark = document.querySelector(`[data-mark="${name}-${report.shown}"]`);
    if (!mark) continue;
    const { left, right, top, bottom, x0, x1, y0, y1 } = mark.ownerSVGElement.dataset;
    mark.setAttribute("cx", Number(left) + (point[0] - x0) / (x1 - x0) * (right - left));
    mark.setAttribute("cy", Number(bottom) - (point[1] - y0) / (y1 - y0) * (bottom - top));
    const text = `at the threshold: ${Number(point[0].toPrecision(3))}, ${Number(point[1].toPrecision(3))}`;
    const before = report.runs.length > 1 ? `run ${report.shown + 1} ` : "";
    for (const place of [mark.querySelector("title"),
      document.querySelector(`[data-mark-text="${name}-${report.shown}"]`)]) {
      if (place) place.textContent = before + text;
    }
  }
}

function startThreshold() {
  addLines();
  byId("slider").addEventListener("input", (event) => {
    const { x0, x1 } = shownHistogram().dataset;
    const level = event.target.value / STEPS;
    setThreshold(Number(x0) + level * (x1 - x0), true);
  });
  byId("number").addEventListener("change", (event) => {
    const value = Number(event.target.value);
    if (event.target.value !== "" && Number.isFinite(value)) setThreshold(value);
  });
  byId("reset").addEventListener("click", () => setThreshold(current().threshold));
}
