/** Progress: how much is sent, then for how long the service has been at work. */

export class Progress {
  #timer = 0;
  #controller = null;
  #phase = "";

  /** @param {(text: string) => void} announce for screen readers, once a phase */
  constructor(elements, announce) {
    Object.assign(this, elements);
    this.announce = announce;
    this.cancelButton.addEventListener("click", () => this.cancel());
  }

  /** @returns {AbortSignal} of the cancel button */
  start(task) {
    this.cancel();
    this.#controller = new AbortController();
    this.#phase = "";
    this.task = task;
    this.box.hidden = false;
    this.sent(0);
    return this.#controller.signal;
  }

  /** @param {number} fraction */
  sent(fraction) {
    if (this.#phase === "waiting") return;
    if (fraction < 1) {
      this.#enter("uploading", "Uploading");
      this.bar.value = fraction;
      this.textBox.textContent = `Uploading… ${Math.round(fraction * 100)} %`;
      return;
    }
    this.#enter("waiting", this.task);
    this.bar.removeAttribute("value");
    const start = performance.now();
    const tick = () => {
      const seconds = Math.floor((performance.now() - start) / 1000);
      this.textBox.textContent = seconds ? `${this.task}… ${seconds} s` : `${this.task}…`;
    };
    tick();
    this.#timer = setInterval(tick, 500);
  }

  stop() {
    clearInterval(this.#timer);
    this.box.hidden = true;
    this.#controller = null;
  }

  cancel() {
    this.#controller?.abort();
    this.stop();
  }

  #enter(phase, text) {
    if (this.#phase === phase) return;
    this.#phase = phase;
    this.announce(`${text}…`);
  }
}
