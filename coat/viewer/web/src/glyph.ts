/** The drawing of one place of the tree. */

import { s, set } from "./dom";
import { ROW } from "./layout";
import type { Place } from "./layout";
import { colour, described, figures, kind, outline, shape, tags } from "./marks";
import type { Store } from "./store";
import { worth } from "./store";
import { clamped } from "./text";

/** The most that a label takes. */
const WIDTH = 200;
/** From the middle of a mark to its label. */
export const LABEL = 16;

const widths = new Map<string, number>();
const ruler = document.createElement("canvas").getContext("2d");

/** The width of `text` on a label's first line, in bold, in pixels at scale 1. */
function width(text: string): number {
  let known = widths.get(text);
  if (known === undefined) {
    if (ruler) ruler.font = "600 13.5px system-ui, sans-serif";
    known = ruler ? ruler.measureText(text).width : 7.5 * text.length;
    if (widths.size > 20_000) widths.clear();
    widths.set(text, known);
  }
  return known;
}

const labels = new Map<string, string>();

/** The first line of a node's label, no wider than its column. */
export function label(text: string): string {
  let cut = labels.get(text);
  if (cut === undefined) {
    let length = 40;
    cut = clamped(text, length);
    while (width(cut) > WIDTH && length > 4) {
      length -= Math.max(1, Math.floor(length * (1 - WIDTH / width(cut))));
      cut = clamped(text, length);
    }
    if (labels.size > 20_000) labels.clear();
    labels.set(text, cut);
  }
  return cut;
}

export function words(place: Pick<Place, "id" | "more">, store: Store): [string, string] {
  if (place.more > 0) return [`+${place.more}`, ""];
  const node = store.get(place.id);
  const text = place.id === 0 ? store.data.question || "the question" : node.step.text;
  return [label(text), [figures(node), ...tags(node, store)].join("  ")];
}

/** Where the label of a place ends, so that the lines to its children can begin there. */
export function end(place: Pick<Place, "id" | "more">, store: Store): number {
  const [first, second] = words(place, store);
  return LABEL + Math.max(width(first), width(second) * 0.83) + 6;
}

/** Everything that the drawing of a place depends on: it is drawn again when this changes. */
export function signature(place: Place, store: Store, far: boolean, hit: boolean): string {
  const base = `${place.more} ${far} ${hit} ${store.mostVisits}`;
  if (place.more > 0) return base;
  const node = store.get(place.id);
  return [
    base,
    ...words(place, store),
    node.judged,
    store.best.has(place.id),
    store.facts(place.id).length,
  ].join("\u0000");
}

/** What fills a place's group. */
export function parts(place: Place, store: Store, far: boolean): SVGElement[] {
  if (place.more > 0) return stub(place);
  const node = store.get(place.id);
  const fill = colour(worth(node));
  const mark = s("path", { class: `mark ${kind(node)}${fill ? "" : " unjudged"}`, d: outline(node, store) });
  if (fill && kind(node) !== "dead") set(mark, "fill", fill);
  if (far) return [mark];
  const [first, second] = words(place, store);
  const made: SVGElement[] = [
    s("rect", { class: "area", x: -14, y: -ROW / 2 + 2, width: 14 + end(place, store), height: ROW - 4 }),
    mark,
    s("text", { class: "words", x: LABEL, y: -1 }, first),
    s("text", { class: "figures", x: LABEL, y: 14 }, second),
  ];
  const facts = store.facts(place.id).length;
  if (facts > 0) {
    made.push(s("path", { class: "fact", d: "M-19,-18h14v13h-9l-4,4v-4h-1z" }));
    made.push(s("text", { class: "facts", x: -12, y: -8 }, facts > 9 ? "9+" : String(facts)));
  }
  return made;
}

function stub(place: Place): SVGElement[] {
  const text = `+${place.more}`;
  const wide = 14 + 7 * text.length;
  return [
    s("rect", { class: "stub", x: -8, y: -11, width: wide, height: 22, rx: 11 }),
    s("text", { class: "more", x: wide / 2 - 8, y: 4 }, text),
  ];
}

/** The name and the state of a place for assistive technology. */
export function annotate(group: SVGElement, place: Place, store: Store, chosen: boolean, hidden: boolean): void {
  const node = store.get(place.id);
  const text = place.id === 0 ? store.data.question : node.step.text;
  const name = place.more > 0 ? `${place.more} more steps; Enter shows some` : described(node, store, clamped(text, 300));
  set(group, "aria-label", name);
  set(group, "aria-level", place.level);
  set(group, "aria-posinset", place.position);
  set(group, "aria-setsize", place.siblings);
  set(group, "aria-selected", String(chosen));
  const expandable = place.more === 0 && (hidden || place.first !== null);
  set(group, "aria-expanded", expandable ? String(!place.closed) : null);
}

/** A small drawing of one kind, for the legend. */
export function sample(of: Parameters<typeof shape>[0]): SVGElement {
  return s(
    "svg",
    { width: 16, height: 16, viewBox: "-8 -8 16 16", "aria-hidden": "true" },
    s("path", { class: `mark ${of} sample`, d: shape(of, 80) }),
  );
}
