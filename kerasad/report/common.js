"use strict";
// What the pages of this package share: elements, and the arithmetic of the threshold.

const byId = (id) => document.getElementById(id);

// An element with attributes and children. Text is never read as markup.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function unpack(text, type) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new type(bytes.buffer);
}

const hasBand = (run) => run.review < run.threshold;

// The rule of the detector: strictly above a threshold, and a score that is no number is defective.
function decide(run, score) {
  if (score > run.trial || Number.isNaN(score)) return "defective";
  // Without a review band the two thresholds are equal, and none is to be reviewed at any other.
  return hasBand(run) && score > run.review ? "review" : "good";
}

// How many calibration scores reach a score; they are stored with the largest first.
function countCalibration(run, score, orEqual) {
  let low = 0, high = run.calibration.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const reaches = orEqual ? run.calibration[middle] >= score : run.calibration[middle] > score;
    if (reaches) low = middle + 1; else high = middle;
  }
  return low;
}

const pValue = (run, score) =>
  (1 + countCalibration(run, score, true)) / (run.calibration.length + 1);

const percent = (share) => `${(100 * share).toFixed(1)} %`;
const brief = (value) => Number(value.toPrecision(4)).toString();

// What a threshold promises, and its rank. A new good score above t is above the m-th largest
// calibration score, m = 1 + those above t.
function describePromise(run, threshold) {
  const count = run.calibration.length;
  if (!run.rates.length) return { text: "The calibration promises no false-alarm rate.", rank: count + 1 };
  const rank = 1 + countCalibration(run, threshold, false);
  const [low, high] = run.rates[Math.min(rank, run.rates.length) - 1];
  const word = run.guaranteed ? "It promises a false-alarm rate of at most" : "The false-alarm rate that it lets expect is";
  const text = `${word} ${percent(rank / (count + 1))} ` +
    `(rank ${rank} of ${count + 1}; 95 % interval ${percent(low)} to ${percent(high)}).`;
  return { text, rank };
}

// How to set it, or nothing where it is in force or no rate of the calibration has it.
function describeAdoption(run, threshold) {
  const { rank } = describePromise(run, threshold);
  if (threshold === run.threshold || rank > run.calibration.length) return [];
  return ["To use it: ", make("code", {}, `kerasad calibrate ${run.path} --false-alarm-rate ${run.ask[rank - 1]}`), "."];
}
