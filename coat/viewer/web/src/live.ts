/** What is seen of a search at work: its costs against the budget, its best value, and the means to hold it. */

import { curveStepAfter, line } from "d3-shape";
import { h, s, say, set } from "./dom";
import type { Point, Store } from "./store";
import { count, decimal } from "./text";
import type { Send } from "./types";

const WIDE = 220;
const HIGH = 44;

export class Live {
  element = h("section", { class: "live", "aria-label": "Progress" });
  private state = h("strong", { class: "state" });
  private tokens = meter("tokens");
  private seconds = meter("seconds");
  private steps = s("path", { class: "curve steps" });
  private answers = s("path", { class: "curve answers" });
  private curve = s("svg", { class: "chart", role: "img", viewBox: `-2 -2 ${WIDE + 4} ${HIGH + 4}`, width: WIDE, height: HIGH });
  private caption = h("span", { class: "caption" });
  private buttons: { toggle: HTMLButtonElement; step: HTMLButtonElement; stop: HTMLButtonElement } | null = null;

  constructor(
    private store: Store,
    private send: Send | null,
  ) {
    this.curve.append(s("path", { class: "axis", d: `M0,0V${HIGH}H${WIDE}` }), this.steps, this.answers);
    const chart = h("div", { class: "charted" }, this.curve, this.caption);
    this.element.append(this.state, this.tokens.element, this.seconds.element, chart);
    if (send) this.element.append(this.controls(send));
  }

  update(): void {
    const { data, curve, spent } = this.store;
    this.element.hidden = data.state === "done" && spent === 0;
    say(this.state, data.state);
    set(this.state, "class", `state ${data.state}`);
    this.tokens.show(spent, data.budget.tokens, count(spent));
    this.seconds.show(data.seconds, data.budget.seconds, data.seconds.toFixed(1));
    const last = curve.at(-1);
    const said = `best step ${decimal(last?.step)}, best answer ${decimal(last?.answer)}`;
    say(this.caption, said);
    set(this.curve, "aria-label", `Best value by tokens: ${said} after ${count(spent)} tokens`);
    const all = Math.max(1, last?.tokens ?? 1);
    set(this.steps, "d", drawn(curve, all, (point) => point.step));
    set(this.answers, "d", drawn(curve, all, (point) => point.answer));
    if (!this.buttons) return;
    const { toggle, step, stop } = this.buttons;
    toggle.parentElement!.hidden = data.state === "done";
    say(toggle, data.state === "paused" ? "Resume" : "Pause");
    step.disabled = data.state !== "paused";
    stop.disabled = data.state === "done";
  }

  /** Pause or go on, as the button does. */
  toggle(): void {
    if (this.send && this.store.data.state !== "done") {
      this.send({ do: this.store.data.state === "paused" ? "resume" : "pause" });
    }
  }

  private controls(send: Send): HTMLElement {
    const button = (name: string, press: () => void): HTMLButtonElement =>
      h("button", { type: "button", click: press }, name);
    const toggle = button("Pause", () => this.toggle());
    const step = button("Step", () => send({ do: "step" }));
    const stop = button("Stop", () => send({ do: "stop" }));
    this.buttons = { toggle, step, stop };
    return h("div", { class: "buttons", role: "group", "aria-label": "Search" }, toggle, step, stop);
  }
}

function drawn(curve: Point[], all: number, of: (point: Point) => number | null): string {
  const pen = line<Point>()
    .defined((point) => of(point) !== null)
    .x((point) => (point.tokens / all) * WIDE)
    .y((point) => (1 - Math.min(1, Math.max(0, of(point) ?? 0))) * HIGH)
    .digits(1)
    .curve(curveStepAfter);
  return pen(curve) ?? "";
}

function meter(unit: string): { element: HTMLElement; show(value: number, most: number | null, said: string): void } {
  const words = h("span");
  const bar = h("progress", { "aria-label": `${unit} of the budget`, max: 1, value: 0 });
  return {
    element: h("div", { class: "meter" }, words, bar),
    show(value, most, said): void {
      say(words, most === null ? `${said} ${unit}` : `${said} of ${count(most)} ${unit}`);
      bar.hidden = most === null;
      if (most !== null) bar.value = most > 0 ? Math.min(1, value / most) : 1;
    },
  };
}
