// The map of codes: a picture beside the pointer, a click enlarges, arrow keys go from point to point.

const tip = () => byId("tip");

function showTip(point) {
  document.querySelector(".point.here")?.classList.remove("here");
  point.classList.add("here");
  const number = Number(point.closest(".latent").dataset.run), run = report.runs[number];
  const parts = [];
  if (point.dataset.image === undefined) {
    parts.push(point.dataset.group);
  } else {
    const image = Number(point.dataset.image), row = run.rowOf.get(image);
    const picture = row?.p?.overlay;
    if (picture) parts.push(make("img", { src: source(picture), alt: `overlay of ${row.n}` }));
    const verdict = VERDICTS[verdictOf(run, image)], kind = run.kindNames[run.kinds[image]];
    parts.push(make("div", {}, row?.n ?? `image ${image}`),
      make("div", {}, `${verdict.sign} ${verdict.one}, ${kind.label ? kind.name : "good"}, score ${brief(run.scores[image])}`));
  }
  tip().replaceChildren(...parts);
  tip().hidden = false;
  const box = point.getBoundingClientRect();
  const left = Math.min(box.right + 12, document.documentElement.clientWidth - 212);
  tip().style.left = `${window.scrollX + Math.max(8, left)}px`;
  tip().style.top = `${window.scrollY + box.bottom + 8}px`;
}

function hideTip() {
  document.querySelector(".point.here")?.classList.remove("here");
  tip().hidden = true;
}

function openPoint(point) {
  if (point?.dataset.image === undefined) return;
  const number = Number(point.closest(".latent").dataset.run);
  if (number !== report.shown) showRun(number);
  if (current().rowOf.has(Number(point.dataset.image))) {
    hideTip();
    enlarge(Number(point.dataset.image));
  }
}

function startLatent() {
  for (const svg of document.querySelectorAll(".latent .chart > svg")) {
    const points = [...svg.querySelectorAll(".point")];
    svg.setAttribute("tabindex", "0");
    svg.setAttribute("role", "application");
    svg.setAttribute("aria-roledescription", "map of images; arrow keys go from image to image, Enter enlarges");
    svg.addEventListener("pointerover", (event) => {
      if (event.target.classList.contains("point")) showTip(event.target);
    });
    svg.addEventListener("pointerleave", hideTip);
    svg.addEventListener("blur", hideTip);
    svg.addEventListener("click", (event) => openPoint(event.target.closest(".point")));
    svg.addEventListener("keydown", (event) => {
      const here = points.findIndex((point) => point.classList.contains("here"));
      const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (by) {
        event.preventDefault();
        showTip(points[(here + by + points.length) % points.length]);
      } else if (event.key === "Enter" && here >= 0) {
        openPoint(points[here]);
      } else if (event.key === "Escape") {
        hideTip();
      }
    });
  }
}
