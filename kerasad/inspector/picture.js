// The picture that is shown: heat map, boxes, verdict, and the map of each expert.

const KNOWN = {
  train: "The run has learned from this very file: a new one like it would score higher.",
  validation: "This very file helped to train the run.",
  calibration: "This very file set the threshold of the run.",
  tuning: "The weights were chosen on this very file.",
  labelled: "This very file was labelled defective for the run.",
};

async function showEntry(id) {
  const entry = view.entries.get(id);
  if (!entry) return;
  view.shown = id;
  if (!entry.full || entry.generation !== view.run.generation) {
    try {
      keepAnswer(await ask(`pictures/${id}`));
    } catch (error) {
      complain(error.message);
      return;
    }
  }
  entry.used = ++view.stamp;
  if (view.shown !== id) return;
  drawPicture(entry);
  showAll();
  showMaps();
}

function drawPicture(entry) {
  const { photo, heat, width, height } = entry.full;
  byId("shown").hidden = false;
  byId("name").replaceChildren(...entry.name.split(/(?<=[/_])/).flatMap((part) => [part, make("wbr")]));
  byId("photo").src = photo;
  byId("photo").alt = `photo of ${entry.name}`;
  byId("heat").src = heat;
  byId("heat").alt = `heat map of ${entry.name}`;
  // As large as the place admits; a tall picture is as high as most of the window.
  byId("stage").style.width = `min(100%, ${Math.round(72 * width / height)}vh)`;
  byId("boxes").setAttribute("viewBox", `0 0 ${width} ${height}`);
  byId("boxes").setAttribute("preserveAspectRatio", "none");
}

function showPicture() {
  const entry = view.entries.get(view.shown);
  if (!entry?.full || !entry.answer) {
    if (!entry) byId("shown").hidden = true;
    return;
  }
  const { run } = view, { score, p, known } = entry.answer;
  const kind = decide(run, score);
  byId("verdict").textContent = VERDICTS[kind].text;
  byId("verdict").className = `verdict ${kind}`;
  byId("facts").textContent = `Score ${brief(score)}, threshold ${brief(run.trial)}. ` +
    `p-value ${p.toFixed(3)}: of good parts, about ${percent(p)} look at least as unusual.`;
  byId("former").textContent = entry.former
    ? `${entry.former.run} called it ${entry.former.verdict}, score ${brief(entry.former.score)}.` : "";
  const { boxes, onlyPeak } = entry.full;
  const isMarked = kind === "defective" || (kind === "review" && !onlyPeak);
  const drawn = isMarked && byId("show-boxes").checked ? boxes : [];
  byId("boxes").replaceChildren(...["outside", "inside"].flatMap((name) =>
    drawn.map(({ x, y, width, height }) => draw("rect", { x, y, width, height, class: name }))));
  const button = byId("good"), isOwn = known === "train" || known === "validation" || ["labelled", "tuning"].includes(known);
  button.setAttribute("aria-pressed", String(entry.good));
  button.textContent = entry.good ? "✓ Marked as good" : "This is good";
  button.disabled = run.kind !== "run" || (isOwn && !entry.good);
  byId("known").textContent = KNOWN[known] ?? (run.kind === "run" ? "" : run.renewal.ways.update.problem);
  const numbers = sortEntries().map((each) => each.id), place = numbers.indexOf(entry.id);
  byId("before").disabled = place <= 0;
  byId("after").disabled = place < 0 || place >= numbers.length - 1;
}

async function showMaps() {
  const entry = view.entries.get(view.shown);
  byId("maps").hidden = Object.keys(view.run.experts).length === 0;
  if (byId("maps").hidden || !byId("maps").open || !entry) return;
  try {
    const maps = await ask(`pictures/${entry.id}/maps`);
    if (entry.id !== view.shown) return;
    byId("experts").replaceChildren(...maps.map(({ name, picture }) => make("figure", {},
      make("img", { src: picture, alt: `map of the expert ${name}` }),
      make("figcaption", {}, `${name}, weight ${brief(view.run.experts[name])}`))));
  } catch (error) {
    complain(error.message);
  }
}

function step(by) {
  const numbers = sortEntries().map((entry) => entry.id);
  const next = numbers[numbers.indexOf(view.shown) + by];
  if (next !== undefined) showEntry(next);
}

function startPicture() {
  const fade = () => { byId("heat").style.opacity = byId("opacity").value / 100; };
  byId("opacity").addEventListener("input", fade);
  fade();
  byId("show-boxes").addEventListener("change", showPicture);
  byId("before").addEventListener("click", () => step(-1));
  byId("after").addEventListener("click", () => step(1));
  byId("maps").addEventListener("toggle", showMaps);
}
