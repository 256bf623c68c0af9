// Starts the page: what the server knows is shown, and what it has not answered is asked for.

async function start() {
  startThreshold();
  startPicture();
  startHistory();
  startFiles();
  startGood();
  try {
    readState(await ask("state"));
  } catch (error) {
    complain(error.message);
    return;
  }
  showHead();
  showAll();
  showRenewal();
  const [first] = sortEntries();
  if (first) await showEntry(first.id);
  askForMissing();
}

start();
