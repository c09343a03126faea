/** What shapes and colours mean, and which keys do what. */

import { h, s } from "./dom";
import { sample } from "./glyph";
import { colour, KINDS } from "./marks";

export function legend(): HTMLElement {
  const stops = [0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1];
  const bar = s("svg", { width: 96, height: 10, "aria-hidden": "true" });
  stops.forEach((value, at) => {
    bar.append(s("rect", { x: (at * 96) / stops.length, width: 96 / stops.length + 0.5, height: 10, fill: colour(value) }));
  });
  const shapes = KINDS.map(([kind, name]) => h("span", { class: "key" }, sample(kind), name));
  const fact = s("svg", { width: 16, height: 16, viewBox: "-21 -20 18 18", "aria-hidden": "true" });
  fact.append(s("path", { class: "fact", d: "M-19,-18h14v13h-9l-4,4v-4h-1z" }));
  return h(
    "div",
    { class: "legend", role: "note", "aria-label": "Legend" },
    h("span", { class: "key" }, "value 0", bar, "1"),
    h("span", { class: "key" }, "size: visits"),
    ...shapes,
    h("span", { class: "key" }, fact, "facts recalled"),
    h("span", { class: "key" }, h("i", { class: "thick", "aria-hidden": "true" }), "best path"),
  );
}

const KEYS: [string, string][] = [
  ["\u2191 \u2193", "the step above or below in the picture"],
  ["\u2192", "expand, then to the first step below"],
  ["\u2190", "collapse, then to the step before"],
  ["Home End", "the first or the last step in the picture"],
  ["Enter", "to the details; on +n: show more"],
  ["Space", "collapse or expand"],
  ["b", "to the end of the best path"],
  ["/", "search"],
  ["n N", "the next or the previous hit"],
  ["f", "fit the whole tree into view"],
  ["+ \u2212", "zoom in or out"],
  ["Shift and an arrow", "move the picture"],
  ["p s", "pause or resume; one step (while a search runs)"],
  ["Esc", "back to the tree"],
  ["?", "this help"],
];

/** The help, as a dialog that is shown on demand. */
export function help(): HTMLDialogElement {
  const rows = KEYS.map(([keys, does]) => h("tr", {}, h("th", { scope: "row" }, h("kbd", {}, keys)), h("td", {}, does)));
  const dialog = h("dialog", { "aria-label": "Help" });
  dialog.append(
    h("h2", {}, "Keys"),
    h("table", {}, h("tbody", {}, ...rows)),
    h("p", {}, "A click chooses a step, a double click collapses or expands it, dragging moves the picture. The wheel zooms: inside a page that scrolls, click into the tree first or hold Ctrl."),
    h("form", { method: "dialog" }, h("button", { type: "submit" }, "Close")),
  );
  return dialog;
}
