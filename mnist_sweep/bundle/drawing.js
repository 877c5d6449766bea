"use strict";

// What drawings.py, strokes.py and doubts.py do, for a clean drawing: dark ink on white paper.
// `limits` are their constants. Images are flat arrays, row after row.

// Half to even, as Python and numpy round.
function rounded(value) {
  const low = Math.floor(value);
  if (value - low !== 0.5) return Math.round(value);
  return low % 2 === 0 ? low : low + 1;
}

// Which shape each pixel belongs to, 0 for none; pixels that touch at a corner are together.
function labelled(mask, width) {
  const labels = new Int32Array(mask.length);
  let found = 0;
  for (let start = 0; start < mask.length; start++) {
    if (!mask[start] || labels[start]) continue;
    const open = [start];
    labels[start] = ++found;
    while (open.length) {
      const at = open.pop();
      const x = at % width;
      for (let dy = -width; dy <= width; dy += width) {
        for (let dx = -1; dx <= 1; dx++) {
          const next = at + dy + dx;
          if (x + dx < 0 || x + dx >= width || next < 0 || next >= mask.length) continue;
          if (mask[next] && !labels[next]) {
            labels[next] = found;
            open.push(next);
          }
        }
      }
    }
  }
  return { labels, found };
}

// A mask with the four neighbours of its pixels.
function dilated(mask, width) {
  return mask.map((is, at) => {
    const x = at % width;
    return is || (x > 0 && mask[at - 1]) || (x < width - 1 && mask[at + 1]) || mask[at - width] || mask[at + width] ? 1 : 0;
  });
}

// Ink without what is far smaller than the strokes, as a slip of the pen is.
function withoutSpecks(ink, width, limits) {
  const { labels, found } = labelled(ink.map((value) => (value > limits.ink ? 1 : 0)), width);
  if (found < 2) return ink;
  const amounts = new Float64Array(found + 1);
  labels.forEach((label, at) => { if (label) amounts[label] += ink[at]; });
  const least = limits.speck * Math.max(...amounts);
  const kept = new Uint8Array(labels.length);
  const others = new Uint8Array(labels.length);
  labels.forEach((label, at) => {
    if (label) (amounts[label] >= least ? kept : others)[at] = 1;
  });
  const [near, specks] = [dilated(kept, width), dilated(others, width)];
  return ink.map((value, at) => (specks[at] && !near[at] ? 0 : value));
}

// Pillow's kernels: the mean of what a pixel covers, and a bicubic interpolation (a = -0.5).
const BOX = { reach: 0.5, weight: (t) => (t > -0.5 && t <= 0.5 ? 1 : 0) };
const BICUBIC = {
  reach: 2,
  weight: (t) => {
    const x = Math.abs(t);
    if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
    return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
  },
};

// Pillow's resampling of rows of `width` pixels to `size`.
function resampledRows(values, width, size, kernel) {
  const rows = values.length / width;
  const scale = width / size;
  const stretch = Math.max(scale, 1);
  const reach = kernel.reach * stretch;
  const out = new Float64Array(rows * size);
  for (let to = 0; to < size; to++) {
    const centre = (to + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - reach + 0.5));
    const last = Math.min(width, Math.trunc(centre + reach + 0.5));
    const weights = [];
    for (let x = first; x < last; x++) weights.push(kernel.weight((x - centre + 0.5) / stretch));
    const sum = weights.reduce((a, b) => a + b, 0);
    for (let y = 0; y < rows; y++) {
      let value = 0;
      weights.forEach((weight, n) => { value += weight * values[y * width + first + n]; });
      out[y * size + to] = value / sum;
    }
  }
  return out;
}

function transposed(values, width) {
  const height = values.length / width;
  const out = new Float64Array(values.length);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) out[x * height + y] = values[y * width + x];
  return out;
}

function extent(ink, width, least) {
  let [left, top, right, bottom] = [width, ink.length, -1, -1];
  ink.forEach((value, at) => {
    if (value <= least) return;
    const [x, y] = [at % width, Math.floor(at / width)];
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  });
  return right < 0 ? null : { left, top, width: right - left + 1, height: bottom - top + 1 };
}

// The strokes in MNIST's box, their centre of mass in the middle: 28x28 bytes.
function placed(ink, width, limits) {
  const box = extent(ink, width, limits.ink);
  const cut = new Float64Array(box.width * box.height);
  for (let y = 0; y < box.height; y++) {
    for (let x = 0; x < box.width; x++) cut[y * box.width + x] = ink[(box.top + y) * width + box.left + x];
  }
  const scale = limits.box / Math.max(box.width, box.height);
  const [wide, tall] = [box.width, box.height].map((length) => Math.max(1, rounded(length * scale)));
  const kernel = scale < 1 ? BOX : BICUBIC;
  const across = resampledRows(cut, box.width, wide, kernel);
  let small = transposed(resampledRows(transposed(across, wide), box.height, tall, kernel), tall);
  small = small.map((value) => Math.max(value, 0));
  const most = Math.max(...small);
  small = small.map((value) => value / most);
  let [sum, sumX, sumY] = [0, 0, 0];
  small.forEach((value, at) => {
    sum += value;
    sumX += value * (at % wide);
    sumY += value * Math.floor(at / wide);
  });
  const start = (centre, length) => Math.min(Math.max(rounded(limits.middle - centre), 0), 28 - length);
  const [left, top] = [start(sumX / sum, wide), start(sumY / sum, tall)];
  const image = new Uint8Array(28 * 28);
  small.forEach((value, at) => {
    image[(top + Math.floor(at / wide)) * 28 + left + (at % wide)] = rounded(255 * value);
  });
  return image;
}

// Brightness 0 to 255 of a square drawing -> {image, ink}, or null where nothing is drawn.
function prepared(brightness, width, limits) {
  const darkest = brightness.reduce((a, b) => Math.min(a, b), 255);
  if (255 - darkest < 255 * limits.faintest) return null;
  const full = Float64Array.from(brightness, (value) => (255 - value) / (255 - darkest));
  const ink = withoutSpecks(full, width, limits);
  return { image: placed(ink, width, limits), ink };
}

function softmax(values, temperature) {
  const most = Math.max(...values);
  const parts = values.map((value) => Math.exp((value - most) / temperature));
  const sum = parts.reduce((a, b) => a + b, 0);
  return parts.map((part) => part / sum);
}

// What speaks against a reading, the gravest first: [kind, words].
function doubts(image, ink, width, probabilities, labels, limits) {
  const found = [];
  const { labels: shapes, found: count } = labelled(image.map((value) => (value > 127 ? 1 : 0)), 28);
  const areas = Array(count).fill(0);
  shapes.forEach((shape) => { if (shape) areas[shape - 1]++; });
  areas.sort((a, b) => b - a);
  if (count >= limits.shapes) found.push(["noise", "noise"]);
  else if (count > 1 && areas[1] >= limits.shape * areas[0]) found.push(["shapes", "several shapes"]);
  const covered = ink.reduce((sum, value) => sum + (value > 0.5 ? 1 : 0), 0);
  if (covered >= limits.half * ink.length) found.push(["large", "covers half"]);
  const height = ink.length / width;
  const atBorder = ink.some((value, at) => {
    const [x, y] = [at % width, Math.floor(at / width)];
    return value > 0.5 && (x === 0 || y === 0 || x === width - 1 || y === height - 1);
  });
  if (atBorder) found.push(["border", "touches the border"]);
  const [best, second] = probabilities.map((_, n) => n).sort((a, b) => probabilities[b] - probabilities[a]);
  if (probabilities[second] >= limits.close * probabilities[best]) found.push(["close", `perhaps ${labels[second]}`]);
  return found;
}
