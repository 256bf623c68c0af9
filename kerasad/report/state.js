"use strict";
// What the page knows: the runs, which one is shown, and the threshold that is tried on each.

const report = { runs: [], shown: 0, filter: "all", kind: "all", sort: "high", hidden: new Set() };

const byId = (id) => document.getElementById(id);

// An element with attributes and children. Text is never read as markup.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function unpack(text, type) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new type(bytes.buffer);
}

function readRuns() {
  const data = JSON.parse(byId("data").textContent);
  report.runs = data.runs.map((run) => run && {
    ...run,
    scores: unpack(run.scores, Float32Array),
    kinds: unpack(run.kinds, Uint16Array),
    calibration: unpack(run.calibration, Float32Array),
    trial: run.threshold,
    rowOf: new Map(run.rows.map((row) => [row.i, row])),
    rowOfFile: new Map(run.rows.map((row) => [row.h, row])),
  });
  report.shown = report.runs.findIndex((run) => run !== null);
}

const current = () => report.runs[report.shown];

const isDefective = (run, image) => run.kindNames[run.kinds[image]].label === 1;

// The rule of the detector: strictly above a threshold, and a score that is no number is defective.
function decide(run, score) {
  if (score > run.trial || Number.isNaN(score)) return "defective";
  return score > Math.min(run.review, run.trial) ? "review" : "good";
}

const VERDICTS = {
  "false-alarms": { title: "False alarms", one: "false alarm", sign: "✕" },
  "misses": { title: "Misses", one: "miss", sign: "✕" },
  "review": { title: "To be reviewed", one: "to be reviewed", sign: "?" },
  "found": { title: "Found", one: "found", sign: "✓" },
  "passed": { title: "Passed", one: "passed", sign: "✓" },
};

function verdictOf(run, image) {
  const decision = decide(run, run.scores[image]);
  if (decision === "review") return "review";
  if (isDefective(run, image)) return decision === "defective" ? "found" : "misses";
  return decision === "defective" ? "false-alarms" : "passed";
}

function countVerdicts(run) {
  const counts = { "good": 0, "defective": 0, "good-review": 0, "defective-review": 0, "review": 0,
    "false-alarms": 0, "misses": 0, "found": 0, "passed": 0 };
  for (let image = 0; image < run.scores.length; image++) {
    const truth = isDefective(run, image) ? "defective" : "good";
    const verdict = verdictOf(run, image);
    counts[truth]++;
    counts[verdict]++;
    if (verdict === "review") counts[`${truth}-review`]++;
  }
  return counts;
}

// How many calibration scores reach a score; they are stored with the largest first.
function countCalibration(run, score, orEqual) {
  let low = 0, high = run.calibration.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const reaches = orEqual ? run.calibration[middle] >= score : run.calibration[middle] > score;
    if (reaches) low = middle + 1; else high = middle;
  }
  return low;
}

const pValue = (run, score) =>
  (1 + countCalibration(run, score, true)) / (run.calibration.length + 1);

const percent = (share) => `${(100 * share).toFixed(1)} %`;
const brief = (value) => Number(value.toPrecision(4)).toString();
const source = (text) => `data:image/webp;base64,${text}`;
