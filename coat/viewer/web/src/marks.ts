/** How a node looks: its kind by shape, its worth by colour, its visits by size. */

import { interpolateViridis } from "d3-scale-chromatic";
import { symbol, symbolCircle, symbolDiamond, symbolSquare, symbolTimes, symbolTriangle } from "d3-shape";
import type { SymbolType } from "d3-shape";
import type { Store } from "./store";
import { worth } from "./store";
import type { TreeNode } from "./types";
import { decimal } from "./text";

export type Kind = "open" | "answer" | "dead" | "backtrack" | "person";

const SHAPES: Record<Kind, SymbolType> = {
  open: symbolCircle,
  answer: symbolDiamond,
  dead: symbolTimes,
  backtrack: symbolTriangle,
  person: symbolSquare,
};

export const KINDS: [Kind, string][] = [
  ["open", "step"],
  ["answer", "answer"],
  ["dead", "dead"],
  ["backtrack", "step back"],
  ["person", "by a person"],
];

export function kind(node: TreeNode): Kind {
  if (node.step.action === "backtrack") return "backtrack";
  if (node.status === "dead") return "dead";
  if (node.status === "terminal") return "answer";
  return node.step.author ? "person" : "open";
}

/** The outline of a node; its area grows with its visits. */
export function outline(node: TreeNode, store: Store): string {
  return shape(kind(node), 70 + 330 * Math.sqrt(node.visits / store.mostVisits));
}

export function shape(of: Kind, area: number): string {
  return symbol(SHAPES[of], area)() ?? "";
}

/** Viridis: even to the eye and to most kinds of colour blindness; null where there is no value. */
export function colour(value: number | null): string | null {
  return value === null ? null : interpolateViridis(Math.min(1, Math.max(0, value)));
}

/** What is said of a node in words beside its shape and colour. */
export function tags(node: TreeNode, store: Store): string[] {
  const found: string[] = [];
  const is = kind(node);
  if (node.parts["verifier"] === 1 && is === "answer") found.push("\u2713 right");
  else if (is === "answer") found.push("answer");
  if (is === "backtrack") found.push("\u21b6 back");
  if (node.status === "dead" && is !== "backtrack") found.push("\u2715 dead");
  if (node.step.action === "recall") found.push("recall");
  if (node.step.thought) found.push("thought");
  if (node.step.author) found.push(`\u270e ${node.step.author}`);
  if (store.data.pinned === node.id) found.push("\u2691 pinned");
  return found;
}

/** Value and visits in a few characters. */
export function figures(node: TreeNode): string {
  const value = worth(node);
  return value === null ? `\u00d7${node.visits}` : `${decimal(value)} \u00d7${node.visits}`;
}

/** A node in one sentence, for those who do not see it. */
export function described(node: TreeNode, store: Store, text: string): string {
  const value = worth(node);
  const parts = [
    node.id === 0 ? `Question: ${text}` : text,
    ...tags(node, store).map((tag) => tag.replace(/^[^\w]+\s/, "")),
    ...(node.id > 0 && store.best.has(node.id) ? ["on the best path"] : []),
    value === null ? "no value" : `value ${decimal(value)}`,
    `${node.visits} visits`,
  ];
  const facts = store.facts(node.id).length;
  if (facts > 0) parts.push(`${facts} recalled`);
  return parts.join(", ");
}
