// "This is good": pictures that make a new run, which answers from then on.

const POLL = 1000; // milliseconds

async function refresh() {
  try {
    const isNew = readState(await ask("state"));
    showRenewal();
    if (isNew) startAnew();
  } catch (error) {
    complain(error.message);
  }
}

// The answers of the former run are kept in a sentence, and all pictures are asked for again.
function startAnew() {
  showHead();
  showAll();
  askForMissing();
}

function showRenewal() {
  const { renewal, kind } = view.run;
  byId("renewal").hidden = kind === "run" && !renewal.marked && !renewal.written.length && !renewal.problem;
  if (kind !== "run") byId("renewal").hidden = view.entries.size === 0;
  const isPossible = kind === "run";
  byId("marked").textContent = isPossible
    ? `${renewal.marked} ${renewal.marked === 1 ? "picture is" : "pictures are"} marked as good.` : renewal.ways.update.problem;
  byId("ways").hidden = byId("advice").hidden = byId("renew").hidden = !isPossible;
  if (!isPossible) return;
  for (const input of document.querySelectorAll('input[name="how"]')) {
    const way = renewal.ways[input.value];
    input.disabled = way.problem !== null || renewal.running;
    byId(`why-${input.value}`).textContent = way.problem ?? way.text;
  }
  const chosen = document.querySelector('input[name="how"]:checked:not(:disabled)') ??
    document.querySelector('input[name="how"]:not(:disabled)');
  if (chosen) chosen.checked = true;
  byId("renew").disabled = !chosen || renewal.running;
  byId("where").textContent = `${renewal.output}; the pictures are copied to ${renewal.folder.split(/[\\/]/).pop()} beside it. ${view.run.name} stays as it is.`;
  const last = renewal.written[renewal.written.length - 1];
  let text = renewal.running ? "The new run is being written; that takes up to some minutes …" : "";
  if (!renewal.running && renewal.problem) text = renewal.problem;
  else if (!renewal.running && last) text = `${last} was written and answers from now on.`;
  byId("renewing").textContent = text;
  byId("renewing").classList.toggle("note", !renewal.running && renewal.problem !== null);
  byId("said").hidden = renewal.running || !renewal.said.length;
  byId("said").textContent = renewal.said.join("\n");
}

async function markGood() {
  const entry = view.entries.get(view.shown);
  if (!entry) return;
  try {
    view.run.renewal = await send(`pictures/${entry.id}/good`, { good: !entry.good });
    entry.good = !entry.good;
    if (entry.full) entry.full.good = entry.good;
  } catch (error) {
    complain(error.message);
  }
  showPicture();
  showList();
  showRenewal();
}

async function renew() {
  const how = document.querySelector('input[name="how"]:checked').value;
  const { name } = view.run;
  for (const entry of view.entries.values()) {
    if (entry.answer) entry.former = { run: name, verdict: verdictOf(entry).one, score: entry.answer.score };
  }
  try {
    readState(await send("renew", { how }));
    showRenewal();
    while (view.run.renewal.running) {
      await new Promise((done) => setTimeout(done, POLL));
      await refresh();
    }
  } catch (error) {
    complain(error.message);
  }
}

function startGood() {
  byId("good").addEventListener("click", markGood);
  byId("renew").addEventListener("click", renew);
}
