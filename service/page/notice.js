/** Notice: what went wrong, in the service's own words, and what can be done. */

export class Notice {
  /** @param {HTMLElement} box */
  constructor(box) {
    this.box = box;
  }

  /**
   * @param {import("./service.js").ServiceError} error
   * @param {[string, () => void][]} actions
   */
  show(error, actions) {
    const message = element("p", "message", sentence(error.message));
    const code = element("code", "code", error.code);
    const facts = element("p", "muted", "");
    facts.append(code);
    if (error.requestId) facts.append(element("code", "request", `request ${error.requestId}`));
    const row = element("div", "row", "");
    for (const [name, act] of actions) {
      const button = element("button", row.children.length ? "quiet" : "primary", name);
      button.type = "button";
      button.addEventListener("click", act);
      row.append(button);
    }
    this.box.replaceChildren(element("h2", "", "That did not work"), message, facts, row);
    this.box.hidden = false;
    row.firstElementChild.focus();
  }

  hide() {
    this.box.hidden = true;
    this.box.replaceChildren();
  }
}

function sentence(text = "") {
  const trimmed = text.trim();
  const first = trimmed.charAt(0).toUpperCase() + trimmed.slice(1);
  return /[.!?]$/.test(first) ? first : `${first}.`;
}

function element(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}
