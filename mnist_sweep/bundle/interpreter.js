"use strict";

// The operators of ONNX that this project's networks are written in (https://onnx.ai/onnx/operators/),
// for one image at a time. A tensor is {shape, data}, data a Float32Array in row-major order.

function tensor(shape, data) {
  return { shape, data: data || new Float32Array(count(shape)) };
}

function count(shape) {
  return shape.reduce((product, length) => product * length, 1);
}

function mapped(x, change) {
  return tensor(x.shape, x.data.map(change));
}

// Shapes are aligned at their last axis; an axis of length 1 is repeated.
function elementwise(a, b, combine) {
  const rank = Math.max(a.shape.length, b.shape.length);
  const filled = (x) => [...Array(rank - x.shape.length).fill(1), ...x.shape];
  const [first, second] = [filled(a), filled(b)];
  const shape = first.map((length, axis) => Math.max(length, second[axis]));
  const steps = (lengths) => lengths.map((length, axis) => (length === 1 ? 0 : count(lengths.slice(axis + 1))));
  const [stepsA, stepsB] = [steps(first), steps(second)];
  const out = tensor(shape);
  for (let at = 0; at < out.data.length; at++) {
    let [rest, inA, inB] = [at, 0, 0];
    for (let axis = rank - 1; axis >= 0; axis--) {
      const place = rest % shape[axis];
      rest = (rest - place) / shape[axis];
      inA += place * stepsA[axis];
      inB += place * stepsB[axis];
    }
    out.data[at] = combine(a.data[inA], b.data[inB]);
  }
  return out;
}

// How a window moves over one axis: where it begins, how often it fits.
function windows(length, kernel, stride, before, after, dilation) {
  return Math.floor((length + before + after - dilation * (kernel - 1) - 1) / stride) + 1;
}

function conv(x, weight, bias, settings) {
  const [, channels, height, width] = x.shape;
  const [outputs, perGroup, tall, wide] = weight.shape;
  const group = settings.group || 1;
  const [strideY, strideX] = settings.strides || [1, 1];
  const [top, left, bottom, right] = settings.pads || [0, 0, 0, 0];
  const [dilationY, dilationX] = settings.dilations || [1, 1];
  const rows = windows(height, tall, strideY, top, bottom, dilationY);
  const columns = windows(width, wide, strideX, left, right, dilationX);
  const out = tensor([1, outputs, rows, columns]);
  const first = (o) => Math.floor(o / (outputs / group)) * (channels / group);
  for (let o = 0; o < outputs; o++) {
    const plane = out.data.subarray(o * rows * columns, (o + 1) * rows * columns);
    plane.fill(bias ? bias.data[o] : 0);
    for (let i = 0; i < perGroup; i++) {
      const from = (first(o) + i) * height * width;
      for (let ky = 0; ky < tall; ky++) {
        for (let kx = 0; kx < wide; kx++) {
          const w = weight.data[((o * perGroup + i) * tall + ky) * wide + kx];
          for (let y = 0; y < rows; y++) {
            const inY = y * strideY + ky * dilationY - top;
            if (inY < 0 || inY >= height) continue;
            for (let x0 = 0; x0 < columns; x0++) {
              const inX = x0 * strideX + kx * dilationX - left;
              if (inX >= 0 && inX < width) plane[y * columns + x0] += w * x.data[from + inY * width + inX];
            }
          }
        }
      }
    }
  }
  return out;
}

function pool(x, settings, start, combine, finish) {
  const [, channels, height, width] = x.shape;
  const [tall, wide] = settings.kernel_shape;
  const [strideY, strideX] = settings.strides || [1, 1];
  const [top, left, bottom, right] = settings.pads || [0, 0, 0, 0];
  const rows = windows(height, tall, strideY, top, bottom, 1);
  const columns = windows(width, wide, strideX, left, right, 1);
  const out = tensor([1, channels, rows, columns]);
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < rows; y++) {
      for (let x0 = 0; x0 < columns; x0++) {
        let value = start;
        for (let ky = 0; ky < tall; ky++) {
          const inY = y * strideY + ky - top;
          for (let kx = 0; kx < wide; kx++) {
            const inX = x0 * strideX + kx - left;
            if (inY >= 0 && inY < height && inX >= 0 && inX < width) {
              value = combine(value, x.data[(c * height + inY) * width + inX]);
            }
          }
        }
        out.data[(c * rows + y) * columns + x0] = finish(value, tall * wide);
      }
    }
  }
  return out;
}

function batchNormalization(x, scale, shift, mean, variance, settings) {
  const each = count(x.shape.slice(2));
  const epsilon = settings.epsilon === undefined ? 1e-5 : settings.epsilon;
  return tensor(x.shape, x.data.map((value, at) => {
    const c = Math.floor(at / each) % x.shape[1];
    return ((value - mean.data[c]) / Math.sqrt(variance.data[c] + epsilon)) * scale.data[c] + shift.data[c];
  }));
}

// [1, K] times a matrix [K, N], or [N, K] where it is turned.
function product(x, matrix, bias, settings) {
  const turned = Boolean(settings.transB);
  const [outputs, inputs] = turned ? matrix.shape : [matrix.shape[1], matrix.shape[0]];
  const alpha = settings.alpha === undefined ? 1 : settings.alpha;
  const beta = settings.beta === undefined ? 1 : settings.beta;
  const out = tensor([1, outputs]);
  for (let o = 0; o < outputs; o++) {
    let sum = 0;
    for (let i = 0; i < inputs; i++) sum += x.data[i] * matrix.data[turned ? o * inputs + i : i * outputs + o];
    out.data[o] = alpha * sum + (bias ? beta * bias.data[bias.data.length === 1 ? 0 : o] : 0);
  }
  return out;
}

function reduceMean(x, settings) {
  const rank = x.shape.length;
  const axes = new Set((settings.axes || x.shape.map((_, axis) => axis)).map((axis) => (axis + rank) % rank));
  const kept = x.shape.map((length, axis) => (axes.has(axis) ? 1 : length));
  const out = tensor(kept);
  for (let at = 0; at < x.data.length; at++) {
    let [rest, to, step] = [at, 0, 1];
    for (let axis = rank - 1; axis >= 0; axis--) {
      const place = rest % x.shape[axis];
      rest = (rest - place) / x.shape[axis];
      if (!axes.has(axis)) to += place * step;
      step *= kept[axis];
    }
    out.data[to] += x.data[at];
  }
  const each = x.data.length / out.data.length;
  const shape = settings.keepdims === 0 ? x.shape.filter((_, axis) => !axes.has(axis)) : kept;
  return tensor(shape, out.data.map((sum) => sum / each));
}

function reshape(x, settings) {
  const shape = settings.shape.map((length, axis) => (length === 0 && !settings.allowzero ? x.shape[axis] : length));
  const known = shape.filter((length) => length >= 0).reduce((a, b) => a * b, 1);
  return tensor(shape.map((length) => (length < 0 ? x.data.length / known : length)), x.data);
}

function unsqueeze(x, settings) {
  const shape = [...x.shape];
  const rank = shape.length + settings.axes.length;
  for (const axis of settings.axes.map((each) => (each + rank) % rank).sort((a, b) => a - b)) shape.splice(axis, 0, 1);
  return tensor(shape, x.data);
}

const OPERATORS = {
  Add: ([a, b]) => elementwise(a, b, (x, y) => x + y),
  AveragePool: ([x], settings) => pool(x, settings, 0, (a, b) => a + b, (sum, each) => sum / each),
  BatchNormalization: ([x, scale, shift, mean, variance], settings) =>
    batchNormalization(x, scale, shift, mean, variance, settings),
  Cast: ([x]) => x,
  Conv: ([x, weight, bias], settings) => conv(x, weight, bias, settings),
  Div: ([a, b]) => elementwise(a, b, (x, y) => x / y),
  Flatten: ([x]) => tensor([1, x.data.length], x.data),
  Gemm: ([x, matrix, bias], settings) => product(x, matrix, bias, settings),
  Identity: ([x]) => x,
  LeakyRelu: ([x], settings) => mapped(x, (value) => (value < 0 ? value * settings.alpha : value)),
  MatMul: ([x, matrix]) => product(x, matrix, null, {}),
  MaxPool: ([x], settings) => pool(x, settings, -Infinity, Math.max, (value) => value),
  Mul: ([a, b]) => elementwise(a, b, (x, y) => x * y),
  ReduceMean: ([x], settings) => reduceMean(x, settings),
  Relu: ([x]) => mapped(x, (value) => Math.max(value, 0)),
  Reshape: ([x], settings) => reshape(x, settings),
  Sigmoid: ([x]) => mapped(x, (value) => 1 / (1 + Math.exp(-value))),
  Sub: ([a, b]) => elementwise(a, b, (x, y) => x - y),
  Tanh: ([x]) => mapped(x, Math.tanh),
  Unsqueeze: ([x], settings) => unsqueeze(x, settings),
};

// A graph's constants, decoded once: the weights are little-endian, as every browser's machine is.
function constants(graph) {
  const bytes = Uint8Array.from(atob(graph.weights), (letter) => letter.charCodeAt(0));
  const all = new Float32Array(bytes.buffer);
  return Object.fromEntries(
    Object.entries(graph.constants).map(([name, { shape, at }]) => [
      name,
      tensor(shape, all.subarray(at, at + count(shape))),
    ]),
  );
}

// An image of 28x28 bytes -> the logits.
function logits(graph, weights, image) {
  const values = { ...weights, [graph.input]: tensor([1, 28, 28], Float32Array.from(image)) };
  for (const { op, inputs, output, settings } of graph.nodes) {
    values[output] = OPERATORS[op](inputs.map((name) => values[name]), settings);
  }
  return Array.from(values[graph.output].data);
}
