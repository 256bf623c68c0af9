// Starts the page, and changes the run that is shown.

function showRun(number) {
  report.shown = number;
  limit = PAGE;
  for (const part of document.querySelectorAll(".histogram, .scale")) {
    part.hidden = Number(part.dataset.run) !== number;
  }
  const choice = document.querySelector(`input[name="run"][value="${number}"]`);
  if (choice) choice.checked = true;
  report.sort = current().isTest ? "high" : "look";
  byId("sort").value = report.sort;
  fillFilters();
  setThreshold(current().trial);
}

readRuns();
if (report.shown >= 0) {
  startThreshold();
  startImages();
  startEnlarging();
  startLatent();
  for (const choice of document.querySelectorAll('input[name="run"]')) {
    choice.addEventListener("change", () => showRun(Number(choice.value)));
  }
  showRun(report.shown);
}
