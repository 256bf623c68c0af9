// What the page knows: what answers, the pictures and their answers, and which one is shown.

const view = {
  run: null,          // what the server says of the detector, and the threshold that is tried
  entries: new Map(), // by number: {id, name, good, answer, former, full}
  shown: null,
  waiting: [],        // files to send and numbers to ask for, one at a time
  working: false,
  stamp: 0,
};

const MOST_FULL = 60; // answers with their pictures that are kept; others are asked for again
const VERDICTS = {
  defective: { text: "Called defective", sign: "✕", one: "defective" },
  review: { text: "To be reviewed", sign: "?", one: "review" },
  good: { text: "Called good", sign: "✓", one: "good" },
};

// Asks the server. What it refuses is an error with its sentence.
async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("The inspector does not answer: is it still running in the terminal?");
  }
  let values = null;
  try {
    values = await response.json();
  } catch {
    throw new Error(`The inspector answered with an error (${response.status}).`);
  }
  if (values.error) throw new Error(values.error);
  return values;
}

const send = (path, values) => ask(path, {
  method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(values),
});

function complain(text) {
  const line = make("p", { class: "note" }, make("span", {}, text));
  line.append(make("button", { type: "button", "aria-label": "Dismiss", onclick: () => line.remove() }, "✕"));
  byId("problems").append(line);
}

function readState(state) {
  const isNew = view.run === null || view.run.generation !== state.generation;
  const trial = isNew ? state.threshold : view.run.trial;
  view.run = { ...state, calibration: unpack(state.calibration, Float32Array), trial };
  const known = new Map();
  for (const { id, name, good, answer } of state.pictures) {
    const entry = view.entries.get(id) ?? { id, name, answer: null, full: null, former: null };
    known.set(id, Object.assign(entry, { good, answer: answer ?? (isNew ? null : entry.answer) }));
  }
  view.entries = known;
  if (!view.entries.has(view.shown)) view.shown = null;
  return isNew;
}

function keepAnswer(answer) {
  const { id, name, good, score, p, known, thumb, generation } = answer;
  const entry = view.entries.get(id) ?? { id, name, former: null };
  Object.assign(entry, { good, answer: { score, p, known, thumb }, full: answer, generation, used: ++view.stamp });
  view.entries.set(id, entry);
  const full = [...view.entries.values()].filter((each) => each.full && each.id !== view.shown);
  if (full.length > MOST_FULL) full.sort((a, b) => a.used - b.used)[0].full = null;
  return entry;
}

const verdictOf = (entry) => VERDICTS[decide(view.run, entry.answer.score)];

function showHead() {
  const { run } = view;
  const kind = { run: "run", detector: "detector file", saved_model: "SavedModel" }[run.kind];
  document.title = `${run.name} - kerasad inspect`;
  byId("title").textContent = run.name;
  byId("subtitle").textContent = `${kind} of ${run.model}, ${run.place}`;
  byId("promise").textContent = run.promise;
  byId("low").textContent = `${brief(run.scale.low)} like good pixels`;
  byId("middle").textContent = `${brief(run.scale.threshold)} pixel threshold`;
  byId("high").textContent = `${brief(run.scale.high)} and above`;
}

// All that depends on the threshold or on what is shown.
function showAll() {
  showThreshold();
  showPicture();
  showList();
}
