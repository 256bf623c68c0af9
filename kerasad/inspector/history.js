// The list of pictures: sorted, and reached with the arrow keys.

function sortEntries() {
  const entries = [...view.entries.values()].filter((entry) => entry.answer);
  const by = {
    new: (a, b) => b.id - a.id,
    high: (a, b) => b.answer.score - a.answer.score,
    low: (a, b) => a.answer.score - b.answer.score,
    name: (a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }),
  }[byId("sort").value];
  return entries.sort((a, b) => by(a, b) || a.id - b.id);
}

function makeItem(entry) {
  const kind = decide(view.run, entry.answer.score), { sign, one } = VERDICTS[kind];
  const name = entry.name.split("/").pop();
  const children = [make("img", { src: entry.answer.thumb, alt: "" }),
    make("span", { class: `what ${kind}` }, `${sign} ${one} ${brief(entry.answer.score)}`),
    make("span", { title: entry.name }, name)];
  if (entry.good) children.push(make("span", { class: "marked" }, "✓ marked as good"));
  const button = make("button", { type: "button", "data-id": entry.id, "data-verdict": kind, title: entry.name,
    "aria-current": entry.id === view.shown ? "true" : false, onclick: () => showEntry(entry.id).then(scrollToPicture) }, ...children);
  return make("li", {}, button);
}

function showList() {
  const entries = sortEntries();
  const focused = document.activeElement?.dataset?.id;
  byId("history").hidden = entries.length === 0;
  byId("list").replaceChildren(...entries.map(makeItem));
  if (focused) document.querySelector(`#list [data-id="${focused}"]`)?.focus({ preventScroll: true });
  const counts = { defective: 0, review: 0, good: 0 };
  for (const entry of entries) counts[decide(view.run, entry.answer.score)]++;
  const review = counts.review ? `, ${counts.review} to be reviewed` : "";
  byId("counts").textContent = `${entries.length} looked at: ${counts.defective} called defective${review}, ${counts.good} called good.`;
}

// On a small screen the list is far below the picture.
function scrollToPicture() {
  const { top, height } = byId("stage").getBoundingClientRect();
  if (top < -height / 2 || top > innerHeight - height / 2) byId("shown").scrollIntoView();
}

function startHistory() {
  byId("sort").addEventListener("change", () => { showList(); showPicture(); });
  byId("list").addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const buttons = [...byId("list").querySelectorAll("button")];
    const place = buttons.indexOf(document.activeElement);
    const target = { Home: buttons[0], End: buttons[buttons.length - 1] }[event.key] ?? (by && buttons[place + by]);
    if (place < 0 || !target) return;
    event.preventDefault();
    target.focus();
  });
  byId("clear").addEventListener("click", async () => {
    view.waiting = [];
    try {
      readState(await send("forget", {}));
      showAll();
      showRenewal();
    } catch (error) {
      complain(error.message);
    }
  });
}
