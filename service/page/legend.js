/** The legend: a switch for each class, with its share of the photo. */

export class Legend {
  /**
   * @param {HTMLElement} list
   * @param {() => void} onToggle
   */
  constructor(list, onToggle) {
    this.list = list;
    this.onToggle = onToggle;
  }

  show(segmentation) {
    const permilles = segmentation.permilles();
    const byShare = segmentation.classes.toSorted((a, b) => b.pixels - a.pixels);
    this.list.replaceChildren(
      ...byShare.map((entry) => this.#row(segmentation, entry, permilles.get(entry.id))),
    );
  }

  /** Mark the class under the pointer. */
  mark(entry) {
    for (const row of this.list.children) {
      row.classList.toggle("under", row.dataset.id === String(entry?.id));
    }
  }

  #row(segmentation, entry, permille) {
    const row = document.createElement("li");
    row.dataset.id = entry.id;
    row.classList.toggle("absent", entry.pixels === 0);
    row.style.setProperty("--color", entry.color);
    row.style.setProperty("--share", `${entry.fraction * 100}%`);
    const label = document.createElement("label");
    const box = document.createElement("input");
    box.type = "checkbox";
    box.checked = segmentation.shown.has(entry.id);
    box.addEventListener("change", () => {
      segmentation.show(entry.id, box.checked);
      this.onToggle();
    });
    label.append(box, text("name", entry.name), text("share", `${(permille / 10).toFixed(1)} %`));
    row.append(label, text("bar", ""));
    return row;
  }
}

function text(className, content) {
  const span = document.createElement("span");
  span.className = className;
  span.textContent = content;
  return span;
}
