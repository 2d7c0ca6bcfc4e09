/** A photo as the page shows it: scaled down, as a large one would take gigabytes. */

const PREVIEW_PX = 2048;

export class Photo {
  /**
   * @param {File} file
   * @param {HTMLImageElement | null} image null if the browser cannot show the format
   */
  constructor(file, image) {
    this.file = file;
    this.width = image?.naturalWidth ?? 0;
    this.height = image?.naturalHeight ?? 0;
    this.preview = image && draw(image, PREVIEW_PX);
  }

  /** @param {File} file */
  static async open(file) {
    return withImage(file, (image) => new Photo(file, image)).catch(() => new Photo(file, null));
  }

  /** The file's name without what follows the last dot. */
  get stem() {
    return this.file.name.replace(/\.[^.]*$/, "") || "photo";
  }

  /** Do without the preview if it is not as the service reads the photo: turned, in some formats. */
  compare({ width, height }) {
    if (this.width !== width || this.height !== height) this.preview = null;
  }

  /** All of its pixels on a canvas, upright. */
  async full() {
    return withImage(this.file, (image) => draw(image, Infinity));
  }
}

async function withImage(file, use) {
  const image = new Image();
  image.src = URL.createObjectURL(file);
  try {
    await image.decode();
    return use(image);
  } finally {
    URL.revokeObjectURL(image.src);
  }
}

function draw(image, longestPx) {
  const { naturalWidth: width, naturalHeight: height } = image;
  const scale = Math.min(1, longestPx / Math.max(width, height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas;
}
