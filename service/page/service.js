/** The service behind the page: what its model is, and predictions with progress. */

export class ServiceError extends Error {
  /** @param {{code: string, message: string, request_id?: string}} answer */
  constructor(answer, status = 0) {
    super(answer.message);
    this.code = answer.code;
    this.requestId = answer.request_id;
    this.status = status;
  }

  /** Whether the same request may succeed later. */
  get isPassing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

export class Service {
  /** Asked for by services that have DRONESEG_API_KEYS. */
  apiKey = "";

  /** What /model_info says. */
  async modelInfo() {
    let response;
    try {
      response = await fetch("model_info", { headers: this.#headers() });
    } catch {
      throw unreachable();
    }
    const answer = await response.json().catch(() => null);
    if (!response.ok || !answer) throw toError(response.status, answer);
    return answer;
  }

  /**
   * Segment a photo.
   *
   * @param {File} file
   * @param {Record<string, string | boolean>} options as in the API
   * @param {AbortSignal} signal
   * @param {(fraction: number) => void} onUpload 1 when all is sent
   */
  predict(file, options, signal, onUpload) {
    const form = new FormData();
    form.append("data", file, file.name);
    // fetch does not tell how much is sent.
    const request = new XMLHttpRequest();
    request.open("POST", `predict?${new URLSearchParams(options)}`);
    request.responseType = "json";
    request.setRequestHeader("Accept", "application/json");
    for (const [name, value] of Object.entries(this.#headers())) {
      request.setRequestHeader(name, value);
    }
    request.upload.onprogress = (event) => onUpload(event.loaded / event.total);
    request.upload.onload = () => onUpload(1);
    return new Promise((resolve, reject) => {
      request.onload = () => {
        if (request.status === 200 && request.response) resolve(request.response);
        else reject(toError(request.status, request.response));
      };
      request.onerror = () => reject(unreachable());
      request.onabort = () => reject(new DOMException("cancelled", "AbortError"));
      signal.addEventListener("abort", () => request.abort());
      request.send(form);
    });
  }

  /**
   * Trace the polygons of a segmentation, which asks no model again.
   *
   * @param {Blob} labels the PNG of class ids
   * @param {AbortSignal} signal
   * @returns {Promise<Blob>} GeoJSON
   */
  async polygons(labels, signal) {
    const headers = { ...this.#headers(), "Content-Type": "image/png" };
    let response;
    try {
      response = await fetch("polygons", { method: "POST", headers, body: labels, signal });
      if (response.ok) return await response.blob();
    } catch (error) {
      throw signal.aborted ? error : unreachable();
    }
    throw toError(response.status, await response.json().catch(() => null));
  }

  #headers() {
    return this.apiKey ? { "X-API-Key": this.apiKey } : {};
  }
}

function toError(status, answer) {
  if (answer?.code) return new ServiceError(answer, status);
  const message = `The service answered with status ${status} and no explanation.`;
  return new ServiceError({ code: `http_${status}`, message }, status);
}

function unreachable() {
  const message = "The service cannot be reached. Is it running, and are you online?";
  return new ServiceError({ code: "unreachable", message });
}
