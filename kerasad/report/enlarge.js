// One image, large: all its pictures, the map of each expert, and the same image in other runs.

let enlarged = null;

function describeExpert(run, name) {
  const weight = run.experts[name];
  return `map of the expert ${name}${weight === undefined ? "" : `, weight ${brief(weight)}`}`;
}

function makeFigures(run, row) {
  return Object.entries(row.p ?? {}).map(([kind, text]) => make("figure", {},
    make("img", { src: source(text), alt: `${kind} of ${row.n}` }),
    make("figcaption", {}, isExpert(kind) ? describeExpert(run, kind.slice(7)) : kind)));
}

function enlarge(image) {
  const run = current(), row = run.rowOf.get(image);
  enlarged = image;
  byId("large-name").textContent = row.n;
  byId("large-text").replaceChildren(...describeImage(run, image).flatMap((fact, place) => (place ? [" · ", fact] : [fact])));
  const figures = makeFigures(run, row);
  report.runs.forEach((other, number) => {
    const same = number === report.shown || !other ? null : other.rowOfFile.get(row.h);
    if (!same) return;
    const title = document.querySelector(`input[name="run"][value="${number}"]`).parentElement.textContent.trim();
    const verdict = VERDICTS[verdictOf(other, same.i)];
    figures.push(make("h3", {}, `${title}: ${verdict.sign} ${verdict.one}, score ${brief(other.scores[same.i])}`),
      ...makeFigures(other, same));
  });
  byId("large-pictures").replaceChildren(...figures);
  const place = listed.indexOf(image);
  byId("before").disabled = place <= 0;
  byId("after").disabled = place < 0 || place >= listed.length - 1;
  if (!byId("large").open) byId("large").showModal();
  byId("large").scrollTop = 0;
}

function step(by) {
  const place = listed.indexOf(enlarged) + by;
  if (enlarged !== null && place >= 0 && place < listed.length) enlarge(listed[place]);
}

function startEnlarging() {
  byId("close").addEventListener("click", () => byId("large").close());
  byId("before").addEventListener("click", () => step(-1));
  byId("after").addEventListener("click", () => step(1));
  byId("large").addEventListener("click", (event) => {
    if (event.target === byId("large")) byId("large").close();
  });
  byId("large").addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") step(-1);
    if (event.key === "ArrowRight") step(1);
  });
}
