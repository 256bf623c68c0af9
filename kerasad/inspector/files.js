// Files of the user: dropped, chosen, or named in the terminal. One at a time is sent and answered.

const IMAGE = /\.(png|jpe?g|bmp|tiff?)$/i;

async function readDropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return { files: [...transfer.files].map((file) => ({ file, name: file.name })), skipped: 0 };
  const found = { files: [], skipped: 0 };
  for (const entry of entries) await readEntry(entry, "", found);
  return found;
}

async function readEntry(entry, folder, found) {
  const name = folder + entry.name;
  if (entry.isFile) {
    if (folder && !IMAGE.test(name)) found.skipped++;
    else found.files.push({ file: await new Promise((done, fail) => entry.file(done, fail)), name });
    return;
  }
  const reader = entry.createReader(), inside = [];
  for (;;) { // it gives at most a hundred at a time
    const part = await new Promise((done, fail) => reader.readEntries(done, fail));
    if (!part.length) break;
    inside.push(...part);
  }
  inside.sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
  for (const each of inside) if (!each.name.startsWith(".")) await readEntry(each, `${name}/`, found);
}

function take({ files, skipped }) {
  if (skipped) complain(`${skipped} ${skipped === 1 ? "file that is no picture was" : "files that are no pictures were"} left out.`);
  files.forEach(({ file, name }, place) => view.waiting.push({ file, name, isFirst: place === 0 }));
  work();
}

async function sendFile({ file, name }) {
  if (file.size > view.run.uploadLimit) {
    throw new Error(`${name}: the file has ${(file.size / 2 ** 20).toFixed(0)} MB, more than the ${(view.run.uploadLimit / 2 ** 20).toFixed(0)} MB that are accepted.`);
  }
  return ask(`pictures?name=${encodeURIComponent(name)}`, { method: "POST", body: file });
}

async function work() {
  if (view.working) return;
  view.working = true;
  let done = 0;
  while (view.waiting.length) {
    const next = view.waiting.shift();
    showProgress(done, view.waiting.length + 1);
    try {
      const entry = keepAnswer(next.file ? await sendFile(next) : await ask(`pictures/${next.id}`));
      if (next.isFirst || view.shown === null || view.shown === entry.id) await showEntry(entry.id);
      else showAll();
    } catch (error) {
      complain(error.message);
    }
    done++;
  }
  view.working = false;
  showProgress(done, 0);
  refresh();
}

function showProgress(done, left) {
  byId("progress").textContent = left ? `Looking at picture ${done + 1} of ${done + left} …` : "";
  byId("stop").hidden = left < 2;
}

// Asks anew for all pictures without an answer, that which is shown first.
function askForMissing() {
  const missing = [...view.entries.values()].filter((entry) => !entry.answer);
  missing.sort((a, b) => (b.id === view.shown) - (a.id === view.shown) || a.id - b.id);
  view.waiting.push(...missing.map(({ id }) => ({ id })));
  work();
}

function startFiles() {
  const area = byId("add");
  for (const [button, input] of [["choose-files", "files"], ["choose-folder", "folder"]]) {
    byId(button).addEventListener("click", () => byId(input).click());
    byId(input).addEventListener("change", () => {
      const all = [...byId(input).files].map((file) => ({ file, name: file.webkitRelativePath || file.name }));
      const files = input === "folder" ? all.filter(({ name }) => IMAGE.test(name)) : all;
      byId(input).value = "";
      take({ files, skipped: all.length - files.length });
    });
  }
  // The whole page takes what is dropped: else the browser would leave it for the picture.
  document.addEventListener("dragover", (event) => { event.preventDefault(); area.classList.add("over"); });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) area.classList.remove("over"); });
  document.addEventListener("drop", async (event) => {
    event.preventDefault();
    area.classList.remove("over");
    try {
      take(await readDropped(event.dataTransfer));
    } catch (error) {
      complain(`What was dropped cannot be read: ${error.message}`);
    }
  });
  byId("stop").addEventListener("click", () => { view.waiting = []; });
}
