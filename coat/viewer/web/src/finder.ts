/** The search box: how many steps hold the words, and the way from one to the next. */

import { h, say } from "./dom";
import type { Store } from "./store";

export class Finder {
  input = h("input", { type: "search", placeholder: "Search steps and facts", "aria-label": "Search steps and facts", dir: "auto" });
  element: HTMLElement;
  hits: number[] = [];
  private at = -1;
  private said = h("span", { class: "found", role: "status" });
  private previous = h("button", { type: "button", "aria-label": "Previous hit", title: "Previous hit (N)", click: () => this.step(-1) }, "\u2191");
  private next = h("button", { type: "button", "aria-label": "Next hit", title: "Next hit (n)", click: () => this.step(1) }, "\u2193");

  constructor(
    private store: Store,
    private changed: (hits: Set<number>) => void,
    private go: (id: number) => void,
  ) {
    this.element = h("div", { class: "finder", role: "search" }, this.input, this.previous, this.next, this.said);
    this.input.addEventListener("input", () => this.look(true));
    this.input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.step(event.shiftKey ? -1 : 1);
    });
    this.show();
  }

  /** Look again, since the words or the tree have changed; `anew` forgets which hit was seen last. */
  look(anew: boolean): void {
    if (!anew && !this.input.value) return;
    const hits = this.store.find(this.input.value);
    if (!anew && hits.length === this.hits.length) return;
    this.hits = hits;
    if (anew) this.at = -1;
    this.changed(new Set(hits));
    this.show();
  }

  step(by: number): void {
    if (!this.hits.length) return;
    this.at = this.at < 0 && by < 0 ? this.hits.length - 1 : (this.at + by + this.hits.length) % this.hits.length;
    this.show();
    this.go(this.hits[this.at]!);
  }

  private show(): void {
    const none = this.hits.length === 0;
    this.previous.disabled = this.next.disabled = none;
    const place = this.at < 0 ? `${this.hits.length} found` : `${this.at + 1} of ${this.hits.length}`;
    say(this.said, this.input.value ? place : "");
  }
}
