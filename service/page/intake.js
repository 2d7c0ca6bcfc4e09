/** Intake: a photo picked, dropped, pasted, or drawn by the service. */

const $ = (id) => document.getElementById(id);

export class Intake {
  /** Whether photos are taken now. */
  open = true;

  /** @param {(file: File) => void} onFile */
  constructor(onFile) {
    this.onFile = onFile;
    $("choose").addEventListener("click", () => this.choose());
    $("file").addEventListener("change", () => this.#picked());
    document.addEventListener("paste", (event) => this.#take(event.clipboardData));
    this.#acceptDrops();
    for (const button of document.querySelectorAll("[data-sample]")) {
      button.addEventListener("click", () => this.#sample(button.dataset.sample));
    }
  }

  /** Open the browser's file dialog. */
  choose() {
    $("file").click();
  }

  #picked() {
    const [file] = $("file").files;
    if (file) this.onFile(file);
    // The same file may be picked again.
    $("file").value = "";
  }

  #take(transfer) {
    const [file] = transfer?.files ?? [];
    if (file && this.open) this.onFile(file);
  }

  #acceptDrops() {
    const veil = (shown) => ($("veil").hidden = !(shown && this.open));
    addEventListener("dragover", (event) => {
      event.preventDefault();
      veil(event.dataTransfer.types.includes("Files"));
    });
    addEventListener("dragleave", (event) => event.relatedTarget ?? veil(false));
    addEventListener("drop", (event) => {
      event.preventDefault();
      veil(false);
      this.#take(event.dataTransfer);
    });
  }

  async #sample(name) {
    const response = await fetch(`page/samples/${name}`);
    this.onFile(new File([await response.blob()], `sample_${name}`, { type: "image/jpeg" }));
  }
}
