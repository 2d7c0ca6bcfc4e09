/** Facts: how a segmentation was made, and by what. */

const STAGES = [
  ["decode", "Decode"],
  ["queue", "Queue"],
  ["predict", "Predict"],
  ["encode", "Encode"],
  ["total", "Total"],
];

export function showFacts(list, { timings_ms: timings, model, request_id: requestId }) {
  const rows = STAGES.map(([key, name]) => [name, duration(timings[key]), key]);
  rows.push(["Model", model.name], ["Engine", model.engine], ["Precision", model.precision]);
  rows.push(["Model hash", model.hash.slice(0, 12)], ["Request", requestId]);
  list.replaceChildren(...rows.flatMap(([name, value, key]) => pair(name, value, key)));
}

export function duration(ms) {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

function pair(name, value, key = "") {
  const [term, description] = ["dt", "dd"].map((tag) => document.createElement(tag));
  term.textContent = name;
  description.textContent = value;
  description.title = value;
  if (key === "total") term.className = description.className = "total";
  return [term, description];
}
