/**
 * Reads a palette PNG as its pixel values, which the browser's own decoder does not tell: it
 * gives colours, which two classes may share, and which some browsers blur against tracking.
 */

const SIGNATURE_BYTES = 8;

/**
 * @param {Uint8Array} bytes a PNG of 8-bit palette values, not interlaced
 * @returns {Promise<{width: number, height: number, values: Uint8Array}>}
 */
export async function decodePalettePng(bytes) {
  const parts = [];
  let width = 0;
  let height = 0;
  for (const [type, data] of chunks(bytes)) {
    if (type === "IHDR") {
      const view = new DataView(data.buffer, data.byteOffset);
      [width, height] = [view.getUint32(0), view.getUint32(4)];
      const [depth, color, , , interlaced] = data.subarray(8);
      if (depth !== 8 || color !== 3 || interlaced) throw new TypeError("not an 8-bit palette PNG");
    }
    if (type === "IDAT") parts.push(data);
  }
  const values = new Uint8Array(width * height);
  const rows = new Rows(values, width);
  const inflated = new Blob(parts).stream().pipeThrough(new DecompressionStream("deflate"));
  const reader = inflated.getReader();
  for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
    rows.push(value);
  }
  return { width, height, values };
}

function* chunks(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = SIGNATURE_BYTES;
  while (at < bytes.length) {
    const length = view.getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    yield [type, bytes.subarray(at + 8, at + 8 + length)];
    at += 12 + length;
  }
}

/** Takes the filters off the rows of the inflated stream, which comes in pieces of any length. */
class Rows {
  #row = 0;
  #column = -1; // the filter's byte is before the first
  #filter = 0;

  constructor(values, width) {
    this.values = values;
    this.width = width;
  }

  push(piece) {
    for (let at = 0; at < piece.length; ) {
      if (this.#column < 0) {
        this.#filter = piece[at++];
        this.#column = 0;
        continue;
      }
      const count = Math.min(this.width - this.#column, piece.length - at);
      const start = this.#row * this.width + this.#column;
      this.values.set(piece.subarray(at, at + count), start);
      at += count;
      this.#column += count;
      if (this.#column === this.width) {
        this.#unfilter(this.#row * this.width);
        this.#row += 1;
        this.#column = -1;
      }
    }
  }

  #unfilter(start) {
    const { values, width } = this;
    if (this.#filter === 0) return;
    for (let i = start; i < start + width; i++) {
      const left = i > start ? values[i - 1] : 0;
      const up = start > 0 ? values[i - width] : 0;
      const corner = i > start && start > 0 ? values[i - width - 1] : 0;
      values[i] += [0, left, up, (left + up) >> 1, paeth(left, up, corner)][this.#filter];
    }
  }
}

function paeth(left, up, corner) {
  const guess = left + up - corner;
  const [a, b, c] = [left, up, corner].map((value) => Math.abs(guess - value));
  if (a <= b && a <= c) return left;
  return b <= c ? up : corner;
}
