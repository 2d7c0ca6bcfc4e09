/** The page: takes a photo, asks the service, shows the answer. */

import * as downloads from "./downloads.js";
import { duration, showFacts } from "./facts.js";
import { Intake } from "./intake.js";
import { Legend } from "./legend.js";
import { Notice } from "./notice.js";
import { Photo } from "./photo.js";
import { Picture } from "./picture.js";
import { Progress } from "./progress.js";
import { Segmentation } from "./segmentation.js";
import { Service, ServiceError } from "./service.js";

const CONNECT_AGAIN_MS = 2000;

const $ = (id) => document.getElementById(id);

class App {
  service = new Service();
  intake = new Intake((file) => this.open(file));
  notice = new Notice($("error"));
  legend = new Legend($("legend"), () => this.picture.repaint());
  picture = new Picture(
    {
      stage: $("stage"),
      picture: $("picture"),
      photo: $("photo"),
      mask: $("mask"),
      wipe: $("wipe"),
      tip: $("tip"),
      cross: $("cross"),
      readout: $("readout"),
    },
    (entry) => this.legend.mark(entry),
  );
  progress = new Progress(
    {
      box: $("progress"),
      textBox: $("progress-text"),
      bar: $("progress-bar"),
      cancelButton: $("cancel"),
    },
    (text) => this.say(text),
  );
  photo = null;
  segmentation = null;

  constructor() {
    $("another").addEventListener("click", () => this.intake.choose());
    $("cancel").addEventListener("click", () => this.back());
    $("opacity").addEventListener("input", () => this.setOpacity());
    $("key-form").addEventListener("submit", (event) => this.useKey(event));
    for (const button of document.querySelectorAll("[data-download]")) {
      button.addEventListener("click", () => this.download(button.dataset.download, button));
    }
    this.setOpacity();
    this.connect();
  }

  /** Tell which model serves, as soon as it does. */
  async connect() {
    clearTimeout(this.timer);
    try {
      const info = await this.service.modelInfo();
      const { name, engine } = info;
      $("model").dataset.state = info.model_loaded ? "ready" : "waiting";
      $("model").textContent = info.model_loaded ? `${name} · ${engine}` : `${name} is warming up`;
      if (info.model_loaded) return;
    } catch (error) {
      $("model").dataset.state = "failed";
      $("model").textContent = error.status === 401 ? "Locked" : "Not reachable";
      if (error.status === 401) {
        this.askForKey(error);
        return;
      }
    }
    this.timer = setTimeout(() => this.connect(), CONNECT_AGAIN_MS);
  }

  /** @param {File} file */
  async open(file) {
    this.progress.cancel();
    this.segmentation = null;
    this.file = file;
    const photo = await Photo.open(file);
    // Another one came while this one was being decoded.
    if (this.file !== file) return;
    this.photo = photo;
    this.picture.showPhoto(photo);
    await this.segment(photo);
  }

  async segment(photo) {
    this.notice.hide();
    $("panel").hidden = true;
    this.enter("view");
    const retry = () => this.segment(photo);
    const answer = await this.ask("Segmenting", retry, (signal, onUpload) =>
      this.service.predict(photo.file, { render: "labels" }, signal, onUpload),
    );
    if (!answer) return;
    try {
      const segmentation = await Segmentation.of(answer);
      if (this.file !== photo.file) return;
      this.segmentation = segmentation;
      this.showResult();
    } catch (error) {
      this.fail(new ServiceError({ code: "unreadable_mask", message: error.message }), retry);
    }
  }

  /** Ask the service, with progress; null if it was cancelled or failed. */
  async ask(task, retry, send) {
    const signal = this.progress.start(task);
    $("cancel").focus();
    try {
      return await send(signal, (fraction) => {
        if (!signal.aborted) this.progress.sent(fraction);
      });
    } catch (error) {
      if (!signal.aborted) this.fail(error, retry);
      return null;
    } finally {
      if (!signal.aborted) this.progress.stop();
    }
  }

  showResult() {
    const { segmentation, photo } = this;
    const { answer, width, height } = segmentation;
    photo.compare(segmentation);
    this.picture.showSegmentation(segmentation, photo);
    this.legend.show(segmentation);
    showFacts($("facts"), answer);
    $("name").textContent = photo.file.name;
    const blind = photo.preview ? "" : " · this browser cannot show the photo itself";
    $("size").textContent = `${width} × ${height} px${blind}`;
    document.querySelector('[data-download="overlay"]').disabled = !photo.preview;
    $("panel").hidden = false;
    $("name").focus({ preventScroll: true });
    const found = segmentation.classes.filter(({ pixels }) => pixels).map(({ name }) => name);
    this.say(`Done in ${duration(answer.timings_ms.total)}. Found: ${found.join(", ")}.`);
  }

  async download(kind, button) {
    const { photo, segmentation } = this;
    const retry = () => this.download(kind, button);
    this.notice.hide();
    try {
      if (kind === "labels") downloads.save(downloads.labels(segmentation), `${photo.stem}_labels.png`);
      if (kind === "overlay") {
        const blob = await downloads.overlay(segmentation, photo, this.opacity);
        downloads.save(blob, `${photo.stem}_overlay.png`);
      }
      if (kind === "geojson") {
        const blob = await this.ask("Tracing polygons", retry, (signal, onUpload) => {
          onUpload(1);
          return this.service.polygons(downloads.labels(segmentation), signal);
        });
        if (!blob) return;
        downloads.save(blob, `${photo.stem}.geojson`);
      }
      button.focus();
    } catch (error) {
      this.fail(new ServiceError({ code: "download_failed", message: error.message }), retry);
    }
  }

  fail(error, retry) {
    if (error.status === 401) {
      this.retry = retry;
      this.askForKey(error);
      return;
    }
    const other = this.segmentation
      ? ["Back to the result", () => this.notice.hide()]
      : ["Choose another photo", () => this.intake.choose()];
    this.notice.show(error, error.isPassing ? [["Try again", retry], other] : [other]);
  }

  /** After a cancelled request: to the result if there is one, else to the beginning. */
  back() {
    this.say("Cancelled.");
    if (this.segmentation) {
      $("name").focus();
      return;
    }
    this.photo = null;
    this.enter("start");
    $("choose").focus();
  }

  askForKey(error) {
    if (this.service.apiKey) $("key-message").textContent = `That key is not known. ${error.message}.`;
    this.enter("key");
    $("key-field").value = "";
    $("key-field").focus();
  }

  async useKey(event) {
    event.preventDefault();
    this.service.apiKey = $("key-field").value.trim();
    const { retry } = this;
    this.retry = null;
    if (retry) {
      this.enter("view");
      this.connect();
      retry();
      return;
    }
    this.enter("start");
    $("choose").focus();
    await this.connect();
  }

  setOpacity() {
    this.opacity = $("opacity").value / 100;
    $("opacity-value").textContent = `${$("opacity").value} %`;
    this.picture.setOpacity(this.opacity);
  }

  /** @param {"start" | "key" | "view"} state */
  enter(state) {
    for (const id of ["start", "key", "view"]) $(id).hidden = id !== state;
    $("another").hidden = state !== "view";
    this.intake.open = state !== "key";
  }

  say(text) {
    $("status").textContent = text;
  }
}

new App();
