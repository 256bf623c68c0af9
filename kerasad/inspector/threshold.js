// The threshold: a line among the calibration scores and the scores of the pictures.

const STEPS = 2000;
const AXIS = { left: 46, right: 548, top: 14, bottom: 66 };

function readRange() {
  const { run } = view, scores = run.calibration;
  const low = scores.length ? Math.min(scores[scores.length - 1], run.review) : Math.min(0, run.review);
  const middle = scores.length ? scores[scores.length >> 1] : low;
  const high = Math.max(scores.length ? scores[0] : run.threshold, run.threshold + 2 * (run.threshold - middle));
  const room = (high - low || 1) * 0.04;
  return [low - room, high + room];
}

function placeOf(score) {
  const [low, high] = readRange();
  const level = Math.min(1, Math.max(0, (score - low) / (high - low)));
  return AXIS.left + level * (AXIS.right - AXIS.left);
}

function draw(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function drawAxis() {
  const { run } = view, parts = [], [low, high] = readRange();
  const line = (x, y1, y2, kind) => draw("line", { x1: x, x2: x, y1, y2, class: kind });
  parts.push(draw("line", { x1: AXIS.left, x2: AXIS.right, y1: AXIS.bottom, y2: AXIS.bottom, class: "grid" }));
  for (const score of run.calibration) parts.push(line(placeOf(score), AXIS.top, AXIS.top + 9, "rug"));
  if (run.calibration.length) parts.push(draw("text", { x: AXIS.left, y: AXIS.top - 4 }, "calibration scores"));
  if (hasBand(run) && run.review < run.trial) {
    const from = placeOf(run.review);
    parts.push(draw("rect", { x: from, y: AXIS.top, width: placeOf(run.trial) - from, height: AXIS.bottom - AXIS.top, class: "band" }));
  }
  parts.push(line(placeOf(run.threshold), AXIS.top, AXIS.bottom, "cut forced"));
  parts.push(line(placeOf(run.trial), AXIS.top, AXIS.bottom, "cut"));
  const entries = [...view.entries.values()].filter((entry) => entry.answer);
  entries.sort((a, b) => (a.id === view.shown) - (b.id === view.shown));
  for (const entry of entries) {
    const kind = decide(run, entry.answer.score), isHere = entry.id === view.shown;
    const dot = draw("circle", { cx: placeOf(entry.answer.score), cy: 50, r: isHere ? 8 : 5, class: `${kind}${isHere ? " here" : ""}` });
    dot.append(draw("title", {}, `${entry.name}: ${brief(entry.answer.score)}`));
    parts.push(dot);
  }
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    const value = low + share * (high - low);
    parts.push(draw("text", { x: placeOf(value), y: AXIS.bottom + 16, "text-anchor": "middle" }, Number(value.toPrecision(3)).toString()));
  }
  parts.push(draw("text", { x: AXIS.right, y: AXIS.bottom + 29, "text-anchor": "end" }, "anomaly score; dots are the pictures"));
  byId("axis").replaceChildren(...parts);
}

function showThreshold(fromSlider = false) {
  const { run } = view, [low, high] = readRange();
  drawAxis();
  if (!fromSlider) byId("slider").value = Math.round(STEPS * (run.trial - low) / (high - low));
  byId("slider").setAttribute("aria-valuetext", brief(run.trial));
  byId("number").value = run.trial === run.threshold ? Number(run.trial.toPrecision(9)) : brief(run.trial);
  byId("reset").disabled = run.trial === run.threshold;
  if (run.hasScores) {
    byId("promised").textContent = describePromise(run, run.trial).text;
    byId("adopt").replaceChildren(...(run.kind === "run" ? describeAdoption(run, run.trial) : []));
  } else {
    byId("promised").textContent = run.trial === run.threshold ? run.promise
      : "A SavedModel does not hold its calibration scores, so what another threshold promises is not known here.";
  }
}

function setThreshold(value, fromSlider = false) {
  view.run.trial = value;
  showThreshold(fromSlider);
  showPicture();
  showList();
}

function startThreshold() {
  byId("slider").addEventListener("input", (event) => {
    const [low, high] = readRange();
    setThreshold(low + event.target.value / STEPS * (high - low), true);
  });
  byId("number").addEventListener("change", (event) => {
    const value = Number(event.target.value);
    if (event.target.value !== "" && Number.isFinite(value)) setThreshold(value);
  });
  byId("reset").addEventListener("click", () => setThreshold(view.run.threshold));
}
