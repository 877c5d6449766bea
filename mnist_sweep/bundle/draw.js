"use strict";

const given = JSON.parse(document.getElementById("given").textContent);
const weights = constants(given.graph);
const sheet = document.getElementById("sheet");
const paper = sheet.getContext("2d", { willReadFrequently: true });
const seen = document.getElementById("seen").getContext("2d");
const answer = document.getElementById("answer");
const said = document.getElementById("said");
const cursor = document.getElementById("pen");
const rows = [...document.querySelectorAll("#bars li")];
const WIDTH = sheet.width;
const PEN = 0.08 * WIDTH; // as MNIST's pens are to a digit that takes up most of the sheet
const STEP = 0.03 * WIDTH; // of an arrow key

let waiting = false;
let spoken = 0;

function clear() {
  paper.fillStyle = "#ffffff";
  paper.fillRect(0, 0, WIDTH, WIDTH);
  look();
}

// A line of no length is a dot of its own: the canvas standard leaves such lines out of a stroke.
function line(from, to) {
  paper.fillStyle = paper.strokeStyle = "#000000";
  paper.lineWidth = PEN;
  paper.lineCap = "round";
  paper.beginPath();
  if (from[0] === to[0] && from[1] === to[1]) {
    paper.arc(...to, PEN / 2, 0, 2 * Math.PI);
    paper.fill();
  } else {
    paper.moveTo(...from);
    paper.lineTo(...to);
    paper.stroke();
  }
  if (!waiting) {
    waiting = true;
    requestAnimationFrame(() => { waiting = false; look(); });
  }
}

// Screen readers hear the answer when the pen rests, and not at each point of a stroke.
function speak(text) {
  clearTimeout(spoken);
  spoken = setTimeout(() => { document.getElementById("spoken").textContent = text; }, 700);
}

// What the network makes of the sheet: also what the tests ask.
function read() {
  const pixels = paper.getImageData(0, 0, WIDTH, WIDTH).data;
  const brightness = Uint8Array.from({ length: WIDTH * WIDTH }, (_, at) => pixels[4 * at]);
  const found = prepared(brightness, WIDTH, given.limits);
  if (!found) return null;
  const probabilities = softmax(logits(given.graph, weights, found.image), given.temperature);
  return {
    image: found.image,
    probabilities,
    doubts: doubts(found.image, found.ink, WIDTH, probabilities, given.labels, given.limits),
  };
}

function look() {
  const found = read();
  const image = seen.createImageData(28, 28);
  image.data.forEach((_, at) => { image.data[at] = at % 4 === 3 ? 255 : found ? found.image[at >> 2] : 0; });
  seen.putImageData(image, 0, 0);
  const best = found ? found.probabilities.indexOf(Math.max(...found.probabilities)) : -1;
  const isNoise = found && found.doubts.some(([kind]) => kind === "noise");
  rows.forEach((row, n) => {
    const share = found ? found.probabilities[n] : 0;
    row.querySelector(".bar").style.width = `${100 * share}%`;
    row.querySelector(".share").textContent = found ? `${(100 * share).toFixed(1)}%` : "";
    row.classList.toggle("best", n === best && !isNoise);
  });
  const percent = found ? `${(100 * found.probabilities[best]).toFixed(1)}%` : "";
  answer.textContent = !found ? "Draw a digit" : isNoise ? "no digit" : `${given.labels[best]} (${percent})`;
  said.textContent = found ? found.doubts.map(([, words]) => words).join(", ") : "";
  speak([answer.textContent, said.textContent].filter(Boolean).join(", "));
}

// With a mouse, a finger or a pen.
let last = null;
function place(event) {
  const box = sheet.getBoundingClientRect();
  return [((event.clientX - box.left) / box.width) * WIDTH, ((event.clientY - box.top) / box.height) * WIDTH];
}
sheet.addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  event.preventDefault();
  sheet.focus({ preventScroll: true });
  cursor.hidden = true;
  if (event.isTrusted) sheet.setPointerCapture(event.pointerId);
  last = place(event);
  line(last, last);
});
sheet.addEventListener("pointermove", (event) => {
  if (!last) return;
  const between = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
  for (const each of between.length ? between : [event]) {
    const next = place(each);
    line(last, next);
    last = next;
  }
});
for (const end of ["pointerup", "pointercancel"]) sheet.addEventListener(end, () => { last = null; });

// With a keyboard: arrows move a pen, which the space bar puts down and takes up.
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
let [pen, isDown] = [[WIDTH / 2, WIDTH / 4], false];
function showPen() {
  cursor.hidden = false;
  cursor.style.left = `${(100 * pen[0]) / WIDTH}%`;
  cursor.style.top = `${(100 * pen[1]) / WIDTH}%`;
  cursor.classList.toggle("down", isDown);
}
sheet.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  if (event.key === " ") {
    isDown = !isDown;
    if (isDown) line(pen, pen);
  } else if (ARROWS[event.key]) {
    const next = pen.map((at, axis) => Math.min(Math.max(at + STEP * ARROWS[event.key][axis], 0), WIDTH));
    if (isDown) line(pen, next);
    pen = next;
  } else if (event.key === "Delete" || event.key === "Backspace" || event.key === "Escape") {
    isDown = false;
    clear();
  } else {
    return;
  }
  event.preventDefault();
  showPen();
});
sheet.addEventListener("blur", () => { cursor.hidden = true; isDown = false; });
document.getElementById("clear").addEventListener("click", clear);
clear();
