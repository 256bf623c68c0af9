// What the page knows: the runs, which one is shown, and the threshold that is tried on each.

const report = { runs: [], shown: 0, filter: "all", kind: "all", sort: "high", hidden: new Set() };

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

const source = (text) => `data:image/webp;base64,${text}`;

const current = () => report.runs[report.shown];

const isDefective = (run, image) => run.kindNames[run.kinds[image]].label === 1;

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
