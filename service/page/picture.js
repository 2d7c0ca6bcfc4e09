/** The picture: the photo, the mask over it, and the class under the pointer or crosshair. */

const STEPS = 40;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Picture {
  /** @type {import("./segmentation.js").Segmentation | null} */
  segmentation = null;
  #position = null;

  /** @param {(entry: object | null) => void} onClass the class under the pointer or crosshair */
  constructor(elements, onClass) {
    Object.assign(this, elements);
    this.onClass = onClass;
    this.picture.addEventListener("pointermove", (event) => this.#point(event));
    this.stage.addEventListener("pointerleave", () => this.leave());
    this.picture.addEventListener("keydown", (event) => this.#step(event));
    this.picture.addEventListener("blur", () => this.leave());
    this.wipe.addEventListener("input", () => this.#wipe());
  }

  /** @param {import("./photo.js").Photo} photo */
  showPhoto(photo) {
    this.segmentation = null;
    this.wipe.value = 0;
    this.#wipe();
    this.leave();
    clear(this.mask);
    const { preview } = photo;
    // A format that the browser cannot show: a blank sheet until the mask's size is known.
    this.#resize(preview?.width ?? 4, preview?.height ?? 3);
    this.stage.classList.toggle("blind", !preview);
    if (preview) this.photo.getContext("2d").drawImage(preview, 0, 0);
  }

  showSegmentation(segmentation, photo) {
    this.segmentation = segmentation;
    this.stage.classList.toggle("blind", !photo.preview);
    if (!photo.preview) this.#resize(...fit(segmentation.width, segmentation.height));
    this.mask.width = this.photo.width;
    this.mask.height = this.photo.height;
    this.repaint();
  }

  repaint() {
    this.segmentation.paint(this.mask);
  }

  /** @param {number} fraction 0 to 1 */
  setOpacity(fraction) {
    this.mask.style.opacity = fraction;
  }

  /** Point at nothing. */
  leave() {
    this.#position = null;
    this.tip.hidden = this.cross.hidden = true;
    this.onClass(null);
  }

  #resize(width, height) {
    this.photo.width = width;
    this.photo.height = height;
    this.stage.style.setProperty("--ratio", width / height);
  }

  #wipe() {
    this.stage.style.setProperty("--wipe", `${this.wipe.value}%`);
    this.wipe.setAttribute("aria-valuetext", `${Math.round(this.wipe.value)} % bare photo`);
  }

  #point(event) {
    if (!this.segmentation) return;
    const box = this.photo.getBoundingClientRect();
    const { width, height } = this.segmentation;
    const x = Math.floor(((event.clientX - box.left) / box.width) * width);
    const y = Math.floor(((event.clientY - box.top) / box.height) * height);
    this.cross.hidden = true;
    this.#name(x, y);
  }

  #step(event) {
    const arrow = ARROWS[event.key];
    if (!arrow || !this.segmentation) return;
    event.preventDefault();
    const { width, height } = this.segmentation;
    const step = event.shiftKey ? 1 : Math.ceil(Math.max(width, height) / STEPS);
    const [x, y] = this.#position ?? [width >> 1, height >> 1];
    this.cross.hidden = false;
    const entry = this.#name(x + step * arrow[0], y + step * arrow[1]);
    this.readout.textContent = `${entry?.name ?? "no class"}, at ${this.#position.join(", ")}`;
  }

  #name(x, y) {
    const { width, height } = this.segmentation;
    const at = [clamp(x, width), clamp(y, height)];
    this.#position = at;
    const entry = this.segmentation.at(...at);
    this.tip.hidden = false;
    this.tip.textContent = entry?.name ?? "no class";
    this.tip.dataset.x = at[0];
    this.tip.dataset.y = at[1];
    this.tip.style.setProperty("--color", entry?.color ?? "transparent");
    this.picture.style.setProperty("--x", (at[0] + 0.5) / width);
    this.picture.style.setProperty("--y", (at[1] + 0.5) / height);
    this.onClass(entry ?? null);
    return entry;
  }
}

function clear(canvas) {
  canvas.width = canvas.height = 1;
}

function clamp(value, size) {
  return Math.min(Math.max(value, 0), size - 1);
}

function fit(width, height, longest = 2048) {
  const scale = Math.min(1, longest / Math.max(width, height));
  return [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
}
