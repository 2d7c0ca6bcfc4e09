/** Downloads: what the page holds, made into files. */

/** The PNG of class ids, byte for byte as the service sent it. */
export function labels(segmentation) {
  return new Blob([segmentation.png], { type: "image/png" });
}

/** The photo in full size with the shown classes over it. */
export async function overlay(segmentation, photo, alpha) {
  const canvas = segmentation.overlay(await photo.full(), alpha);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  // Frees the pixels now, not some time later.
  canvas.width = canvas.height = 0;
  if (!blob) throw new RangeError("The photo is too large for this browser to draw in full size.");
  return blob;
}

export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The browser reads it after the click.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
