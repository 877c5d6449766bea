"use strict";
// What the page does beyond being read: it sorts, copies, filters, and shows a trial on hover.
// All that comes from a study is set as text, never as markup.

const LONG = 14; // letters of a column's name: beyond, it may be broken after a dot or underscore
const REACH = 14; // pixels around a point in which it is meant
let data = {};
let trials = new Map(); // by number, as text
const hiddenStates = new Set();

function element(tag, text, attributes = {}) {
  const made = document.createElement(tag);
  if (text !== undefined && text !== null) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

// Sorting: numbers by size, texts by letters after them, empty cells last.

function sortable(cell) {
  const text = cell.textContent.trim();
  const number = Number(text.replaceAll(",", "").replace(/\s*[%±].*$/, ""));
  return text === "" ? [2, ""] : Number.isNaN(number) ? [1, text] : [0, number];
}

function sortBy(header) {
  const body = header.closest("table").tBodies[0], at = header.cellIndex;
  const falling = header.getAttribute("aria-sort") === "ascending";
  for (const other of header.parentElement.cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", falling ? "descending" : "ascending");
  const keyed = [...body.rows].map(row => [sortable(row.cells[at]), row]);
  keyed.sort(([[kind, a]], [[other, b]]) =>
    kind !== other ? kind - other : (a < b ? -1 : a > b ? 1 : 0) * (falling ? -1 : 1));
  body.append(...keyed.map(([, row]) => row));
}

// Copying; where the browser does not let a page copy, the line is selected for the reader to.

async function copy(button) {
  const said = button.textContent;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "copied";
  } catch {
    const folded = button.closest(".commands").querySelector("details");
    const place = [...button.parentElement.children].indexOf(button);
    folded.open = true;
    getSelection().selectAllChildren(folded.querySelectorAll("dd code")[place]);
    button.textContent = "selected: press Ctrl+C";
  }
  setTimeout(() => { button.textContent = said; }, 2000);
}

// The table of all trials, and its filter, which holds for the charts too.

function allTrials(place) {
  const objectives = data.objectives.map(name => [name, name]);
  const columns = [["trial", "trial"], ["state", "state"], ...objectives,
    ["parameters", "parameters"], ...data.columns, ["reason", "reason"]];
  const seen = new Set();
  const shown = columns.filter(([name]) => !seen.has(name) && seen.add(name));
  const head = element("tr");
  for (const [name, short] of shown) {
    const cell = element("th", null, name === short ? { scope: "col" } : { scope: "col", title: name });
    const button = element("button", null, { type: "button" });
    const parts = short.length > LONG ? short.split(/(?<=[._])/) : [short];
    for (const part of parts) button.append(part, element("wbr"));
    cell.append(button);
    head.append(cell);
  }
  const body = element("tbody");
  for (const trial of trials.values()) body.append(rowOf(trial, shown));
  const table = element("table"), top = element("thead");
  top.append(head);
  table.append(top, body);
  const scroll = element("div", null, { class: "scroll all", tabindex: "0", role: "region", "aria-label": "All trials, table" });
  scroll.append(table);
  place.replaceChildren(filters(), scroll);
}

function cellsOf(trial) {
  const cells = { trial: trial.number, state: trial.state, reason: trial.reason };
  data.objectives.forEach((name, at) => { cells[name] = trial.values[at]; });
  if (trial.parameters !== null) cells.parameters = trial.parameters.toLocaleString("en");
  data.columns.forEach(([name], at) => { cells[name] = trial.settings[at]; });
  return cells;
}

function rowOf(trial, columns) {
  const row = element("tr", null, { id: `trial-${trial.number}`, "data-of": trial.number });
  const cells = cellsOf(trial);
  for (const [name] of columns) {
    const cell = element("td", cells[name] ?? "");
    if (name === "reason" && trial.reason) cell.title = trial.reason;
    row.append(cell);
  }
  return row;
}

function filters() {
  const counts = new Map();
  for (const { state } of trials.values()) counts.set(state, (counts.get(state) || 0) + 1);
  const bar = element("div", null, { class: "states", role: "group", "aria-label": "Show trials that are" });
  for (const [state, count] of counts) {
    const button = element("button", `${state} ${count}`, { type: "button", "aria-pressed": String(!hiddenStates.has(state)) });
    button.addEventListener("click", () => {
      hiddenStates[hiddenStates.has(state) ? "delete" : "add"](state);
      button.setAttribute("aria-pressed", String(!hiddenStates.has(state)));
      filter();
    });
    bar.append(button);
  }
  return bar;
}

const isHidden = number => hiddenStates.has(trials.get(number)?.state);

function filter() {
  for (const row of document.querySelectorAll("#trials tr[data-of]")) row.hidden = isHidden(row.dataset.of);
  for (const part of document.querySelectorAll("[data-trial]")) {
    part.classList.toggle("hidden-state", isHidden(part.dataset.trial));
  }
}

// A chosen trial is marked in every chart and table. Its address (#trial-7) leads to its row.

function choose(number) {
  for (const marked of document.querySelectorAll(".chosen")) marked.classList.remove("chosen");
  if (!trials.has(number)) return;
  for (const part of document.querySelectorAll(`[data-trial="${number}"], tr[data-of="${number}"]`)) {
    part.classList.add("chosen");
  }
}

function chooseByAddress() {
  const number = location.hash.match(/^#trial-(\d+)$/)?.[1];
  if (number === undefined) return;
  choose(number);
  document.getElementById(`trial-${number}`)?.scrollIntoView({ block: "center" });
}

// What a point shows on hover.

const tip = document.getElementById("tip");

function fillTip(trial) {
  const cells = cellsOf(trial), table = element("table");
  for (const [name, value] of Object.entries(cells)) {
    if (value === null || value === undefined || name === "trial" || name === "state") continue;
    const row = element("tr");
    row.append(element("td", name), element("td", value));
    table.append(row);
  }
  tip.replaceChildren(element("strong", `trial ${trial.number}, ${trial.state}`), table);
  if (trial.curve.length > 1) tip.append(curveOf(trial.curve));
}

function curveOf(points) {
  const space = "http://www.w3.org/2000/svg";
  const steps = points.map(([step]) => step), values = points.map(([, value]) => value);
  const scale = (value, all, size) => {
    const low = Math.min(...all), range = Math.max(...all) - low;
    return (range ? (value - low) / range : 0.5) * size;
  };
  const line = document.createElementNS(space, "polyline");
  line.setAttribute("points", points.map(([step, value]) =>
    `${scale(step, steps, 196) + 2},${38 - scale(value, values, 36)}`).join(" "));
  line.setAttribute("style", "fill: none; stroke: currentColor; stroke-width: 1.5; vector-effect: non-scaling-stroke");
  const drawing = document.createElementNS(space, "svg");
  drawing.setAttribute("viewBox", "0 0 200 40");
  drawing.setAttribute("preserveAspectRatio", "none");
  drawing.append(line);
  const [first, last] = [points[0], points[points.length - 1]];
  const made = element("div", `${data.step} ${first[0]} to ${last[0]}: ${first[1]}${data.unit} to ${last[1]}${data.unit}`);
  made.prepend(drawing);
  return made;
}

function showTip(number, x, y) {
  const trial = trials.get(number);
  tip.hidden = !trial;
  if (!trial) return;
  if (tip.dataset.of !== number) { fillTip(trial); tip.dataset.of = number; }
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, x + 16 + width > innerWidth ? x - width - 16 : x + 16)}px`;
  tip.style.top = `${Math.max(4, Math.min(y + 16, innerHeight - height - 4))}px`;
}

function places(drawing) {
  const corner = drawing.getBoundingClientRect();
  return [...drawing.querySelectorAll("use[data-trial]")].map(part => {
    const box = part.getBoundingClientRect();
    return [part.dataset.trial, box.x + box.width / 2 - corner.x, box.y + box.height / 2 - corner.y];
  });
}

function meant(drawing, known, event) {
  const corner = drawing.getBoundingClientRect();
  const [x, y] = [event.clientX - corner.x, event.clientY - corner.y];
  let [nearest, least] = [null, REACH];
  for (const [number, left, top] of known) {
    const distance = Math.hypot(left - x, top - y);
    if (distance < least && !isHidden(number)) [nearest, least] = [number, distance];
  }
  return nearest ?? event.target.closest("[data-trial]")?.dataset.trial ?? null;
}

function listen(drawing) {
  let known = [];
  drawing.addEventListener("pointerenter", () => { known = places(drawing); });
  drawing.addEventListener("pointermove", event => {
    const number = meant(drawing, known, event);
    if (number === null) tip.hidden = true;
    else showTip(number, event.clientX, event.clientY);
  });
  drawing.addEventListener("pointerleave", () => { tip.hidden = true; });
  drawing.addEventListener("click", event => {
    const number = meant(drawing, places(drawing), event);
    if (number === null) return;
    tip.hidden = true;
    location.hash = `#trial-${number}`;
    chooseByAddress(); // though it is the address already
  });
}

// All of it is set up here: the first part again where what the page shows has been replaced.

function arrange() {
  data = JSON.parse(document.getElementById("data").textContent);
  trials = new Map((data.trials || []).map(trial => [String(trial.number), trial]));
  for (const folded of document.querySelectorAll(".commands details")) folded.open = false;
  const place = document.getElementById("trials");
  if (place && trials.size) allTrials(place);
  for (const drawing of document.querySelectorAll("figure svg")) {
    if (drawing.querySelector("[data-trial]")) listen(drawing);
  }
  delete tip.dataset.of; // what it shows of a trial may be old
  filter();
}

document.documentElement.classList.add("scripted");
arrange();
document.addEventListener("click", event => {
  const header = event.target.closest("th button");
  if (header) return sortBy(header.parentElement);
  const button = event.target.closest("[data-copy]");
  if (button) return copy(button);
  const row = event.target.closest("tr[data-of]");
  if (row) choose(row.dataset.of);
});
addEventListener("hashchange", chooseByAddress);
chooseByAddress();
