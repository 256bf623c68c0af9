// The list of images: filtered by verdict and kind, sorted, a page at a time.

const PAGE = 24;
let limit = PAGE;
let listed = [];

function chooseImages() {
  const run = current();
  const order = new Map(run.rows.map((row, place) => [row.i, place]));
  const chosen = run.rows.map((row) => row.i).filter((image) =>
    (report.filter === "all" || verdictOf(run, image) === report.filter) &&
    (report.kind === "all" || run.kinds[image] === Number(report.kind)));
  const key = {
    high: (image) => -run.scores[image],
    low: (image) => run.scores[image],
    look: (image) => order.get(image),
    near: (image) => Math.abs(run.scores[image] - run.trial),
  }[report.sort];
  return chosen.sort((a, b) => key(a) - key(b) || a - b);
}

function showVerdictButtons(counts, isReviewed) {
  const isThere = { "review": isReviewed, "misses": counts.defective, "found": counts.defective,
    "false-alarms": counts.good, "passed": counts.good };
  const names = ["all", ...Object.keys(VERDICTS).filter((name) => isThere[name])];
  const focused = document.activeElement?.dataset?.filter;
  byId("verdicts").replaceChildren(...names.map((name) => {
    const count = name === "all" ? current().scores.length : counts[name];
    const title = name === "all" ? "All" : VERDICTS[name].title;
    return make("button", {
      type: "button", "data-filter": name, "aria-pressed": String(report.filter === name),
      onclick: () => { report.filter = name; limit = PAGE; showImages(); },
    }, `${title} ${count}`);
  }));
  if (focused) document.querySelector(`[data-filter="${focused}"]`)?.focus();
}

function describeImage(run, image) {
  const verdict = VERDICTS[verdictOf(run, image)], row = run.rowOf.get(image);
  const kind = run.kindNames[run.kinds[image]];
  const facts = [
    make("span", { class: "what" }, `${verdict.sign} ${verdict.one}`),
    make("span", {}, kind.label ? kind.name : "good"),
    make("span", {}, `score ${brief(run.scores[image])}`),
    make("span", {}, `p ${pValue(run, run.scores[image]).toFixed(3)}`),
  ];
  if (row?.u !== undefined) facts.push(make("span", {}, `IoU ${row.u.toFixed(2)}`));
  if (row?.x) facts.push(make("span", {}, row.x));
  return facts;
}

// A long path breaks behind its folders first.
const breakable = (path) => path.split(/(?<=[/_])/).flatMap((part) => [part, make("wbr")]);

const isExpert = (kind) => kind.startsWith("expert ");

function makePictures(row) {
  const kinds = Object.keys(row.p).filter((kind) => !isExpert(kind) && !report.hidden.has(kind));
  const pictures = make("div", { class: "pictures" }, ...kinds.map((kind) => make("button", {
    type: "button", onclick: () => enlarge(row.i),
  }, make("img", { src: source(row.p[kind]), alt: `${kind} of ${row.n}`, decoding: "async" }),
  make("span", {}, kind))));
  pictures.style.setProperty("--number", kinds.length);
  return pictures;
}

function makeEntry(run, image) {
  const row = run.rowOf.get(image), verdict = verdictOf(run, image);
  const mood = { "false-alarms": "wrong", "misses": "wrong", "review": "between" }[verdict] ?? "";
  const facts = describeImage(run, image);
  const text = make("div", { class: "text" }, make("div", { class: "name" }, ...breakable(row.n)),
    ...facts.map((fact) => make("div", {}, fact)));
  const hasPictures = row.p && Object.keys(row.p).length > 0;
  const entry = make("li", { class: `${mood} ${hasPictures ? "" : "bare"}`, "data-image": image }, text);
  if (hasPictures) entry.append(makePictures(row));
  return entry;
}

function showImages() {
  const run = current();
  listed = chooseImages();
  byId("list").replaceChildren(...listed.slice(0, limit).map((image) => makeEntry(run, image)));
  byId("more").hidden = listed.length <= limit;
  const without = listed.filter((image) => !run.rowOf.get(image).p).length;
  let text = `${Math.min(limit, listed.length)} of ${listed.length} shown.`;
  if (without) text += ` ${without} have no picture here: errors, what is nearest the threshold and a sample have.`;
  if (run.rows.length < run.scores.length) text += ` Of ${run.scores.length} images, ${run.rows.length} are listed; the CSV beside this page has all.`;
  byId("count").textContent = text;
  for (const button of byId("verdicts").children) {
    button.setAttribute("aria-pressed", String(button.dataset.filter === report.filter));
  }
}

function fillFilters() {
  const run = current();
  const options = run.kindNames.map((kind, number) =>
    make("option", { value: number }, kind.label ? kind.name : "good"));
  byId("kind").replaceChildren(make("option", { value: "all" }, "all"), ...options);
  report.kind = "all";
  const kinds = new Set(run.rows.flatMap((row) => Object.keys(row.p ?? {})).filter((kind) => !isExpert(kind)));
  byId("kinds").replaceChildren(...[...kinds].map((kind) => make("label", {}, make("input", {
    type: "checkbox", checked: !report.hidden.has(kind),
    onchange: (event) => {
      if (event.target.checked) report.hidden.delete(kind); else report.hidden.add(kind);
      showImages();
    },
  }), ` ${kind}`)));
}

function startImages() {
  const change = (name) => (event) => { report[name] = event.target.value; limit = PAGE; showImages(); };
  byId("kind").addEventListener("change", change("kind"));
  byId("sort").addEventListener("change", change("sort"));
  byId("more").addEventListener("click", () => {
    const first = limit;
    limit += PAGE;
    showImages();
    byId("list").children[first]?.querySelector("button")?.focus();
  });
}
