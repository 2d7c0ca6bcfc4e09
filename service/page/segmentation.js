/** A segmentation: the class of every pixel, and which classes are shown. */

import { decodePalettePng } from "./palette_png.js";

const BAND_PX = 256;

export class Segmentation {
  /** @param answer of /predict with render=labels, and its PNG decoded */
  constructor(answer, png, { width, height, values }) {
    this.answer = answer;
    this.png = png;
    this.width = width;
    this.height = height;
    this.ids = values;
    this.classes = answer.classes;
    this.shown = new Set(this.classes.map(({ id }) => id));
  }

  static async of(answer) {
    const text = atob(answer.segmentation_mask);
    const png = Uint8Array.from(text, (character) => character.charCodeAt(0));
    return new Segmentation(answer, png, await decodePalettePng(png));
  }

  /** The class of a pixel. */
  at(x, y) {
    const id = this.ids[y * this.width + x];
    return this.classes.find((entry) => entry.id === id);
  }

  show(id, shown) {
    if (shown) this.shown.add(id);
    else this.shown.delete(id);
  }

  /** Shares in tenths of a percent that add up to 1000: the largest remainders are rounded up. */
  permilles() {
    const exact = this.classes.map(({ id, fraction }) => ({ id, value: fraction * 1000 }));
    const floors = new Map(exact.map(({ id, value }) => [id, Math.floor(value)]));
    const total = Math.round(exact.reduce((sum, { value }) => sum + value, 0));
    let missing = total - [...floors.values()].reduce((sum, value) => sum + value, 0);
    const byRemainder = exact.toSorted((a, b) => (b.value % 1) - (a.value % 1));
    for (const { id } of byRemainder) {
      if (missing-- <= 0) break;
      floors.set(id, floors.get(id) + 1);
    }
    return floors;
  }

  /** Paint the colours of the shown classes, scaled to the canvas by the nearest pixel. */
  paint(canvas) {
    const context = canvas.getContext("2d");
    for (let top = 0; top < canvas.height; top += BAND_PX) {
      const rows = Math.min(BAND_PX, canvas.height - top);
      context.putImageData(this.#band(canvas, top, rows), 0, top);
    }
  }

  /** The colours over all pixels of the photo. */
  overlay(photo, alpha) {
    const context = photo.getContext("2d");
    const strip = document.createElement("canvas");
    strip.width = photo.width;
    context.globalAlpha = alpha;
    for (let top = 0; top < photo.height; top += BAND_PX) {
      strip.height = Math.min(BAND_PX, photo.height - top);
      strip.getContext("2d").putImageData(this.#band(photo, top, strip.height), 0, 0);
      context.drawImage(strip, 0, top);
    }
    return photo;
  }

  #band({ width, height }, top, rows) {
    const image = new ImageData(width, rows);
    const pixels = new Uint32Array(image.data.buffer);
    const colors = this.#colors();
    for (let row = 0; row < rows; row++) {
      const y = Math.floor(((top + row + 0.5) * this.height) / height);
      for (let column = 0; column < width; column++) {
        const x = Math.floor(((column + 0.5) * this.width) / width);
        pixels[row * width + column] = colors[this.ids[y * this.width + x]];
      }
    }
    return image;
  }

  /** RGBA in the order of ImageData for each id; hidden classes are transparent. */
  #colors() {
    const bytes = new Uint8Array(256 * 4);
    for (const { id, color } of this.classes) {
      if (!this.shown.has(id)) continue;
      const rgb = [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16));
      bytes.set([...rgb, 255], id * 4);
    }
    return new Uint32Array(bytes.buffer);
  }
}
