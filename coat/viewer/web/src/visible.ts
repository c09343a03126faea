/** Which nodes are shown: the best path, what was asked for, and the most visited of the rest. */

import type { Store } from "./store";
import { worth } from "./store";

/** Nodes shown of themselves, and at most, whatever is expanded; the path to the chosen one is always shown. */
const USUAL = 50;
const MOST = 200;
/** Children that expanding shows at once. */
export const MORE = 12;

export interface View {
  chosen: number;
  /** What was chosen before, the latest first. */
  recent: number[];
  /** Closed by hand: nothing below is shown. */
  closed: Set<number>;
  /** How many children are shown at least, by parent, the latest last. */
  opened: Map<number, number>;
}

/** The shown nodes and how many are hidden below each of them. */
export interface Shown {
  nodes: Set<number>;
  hidden: Map<number, number>;
}

export function choose(store: Store, view: View, before: Set<number>): Shown {
  const nodes = new Set<number>([0]);
  const add = (id: number, most: number): void => {
    const path: number[] = [];
    for (let at: number | null = id; at !== null && !nodes.has(at); at = store.get(at).parent) path.push(at);
    if (nodes.size + path.length > most) return;
    if (store.up(id).some((each) => each !== id && view.closed.has(each))) return;
    for (const each of path) nodes.add(each);
  };
  add(view.chosen, Infinity);
  for (const id of view.recent) add(id, MOST);
  for (const id of store.best) if (store.has(id)) add(id, MOST);
  if (store.data.pinned !== null && store.has(store.data.pinned)) add(store.data.pinned, MOST);
  for (const [parent, number] of [...view.opened].reverse()) {
    for (const id of ranked(store, store.kids(parent), before).slice(0, number)) add(id, MOST);
  }
  if (nodes.size < USUAL) {
    const rest = ranked(store, store.all().map((node) => node.id), before);
    for (const id of rest.slice(0, 4 * USUAL)) add(id, USUAL);
  }
  return { nodes, hidden: hiddenBelow(store, nodes) };
}

function ranked(store: Store, ids: number[], before: Set<number>): number[] {
  const rank = (id: number): number => {
    const node = store.get(id);
    const kept = before.has(id) ? 1.5 : 1;
    return (node.visits + (worth(node) ?? 0)) * kept * (node.status === "dead" ? 0.5 : 1);
  };
  return ids
    .map((id) => ({ id, rank: rank(id) }))
    .sort((one, other) => other.rank - one.rank || one.id - other.id)
    .map(({ id }) => id);
}

function hiddenBelow(store: Store, nodes: Set<number>): Map<number, number> {
  const hidden = new Map<number, number>();
  for (const id of nodes) {
    let sum = 0;
    for (const child of store.kids(id)) if (!nodes.has(child)) sum += store.size(child);
    if (sum > 0) hidden.set(id, sum);
  }
  return hidden;
}
