/** Where the shown nodes lie: d3's tidy tree, from left to right. */

import { hierarchy, tree } from "d3-hierarchy";
import type { Store } from "./store";
import type { Shown } from "./visible";

export const ROW = 44;

/** A place in the picture: a node, or (`more` > 0) the stub that stands for the hidden ones below node `id`. */
export interface Place {
  key: string;
  id: number;
  more: number;
  x: number;
  y: number;
  level: number;
  position: number;
  siblings: number;
  parent: Place | null;
  first: Place | null;
  closed: boolean;
}

interface Item {
  id: number;
  more: number;
}

/** The places in the order in which a reader goes down the tree; a level of it is `column` wide. */
export function arrange(store: Store, shown: Shown, column: number): Place[] {
  const below = ({ id, more }: Item): Item[] => {
    if (more > 0) return [];
    const kids = store.kids(id).filter((child) => shown.nodes.has(child));
    const items = kids.map((child): Item => ({ id: child, more: 0 }));
    const hidden = shown.hidden.get(id);
    return hidden ? [...items, { id, more: hidden }] : items;
  };
  const root = tree<Item>()
    .nodeSize([ROW, column])
    .separation((one, other) => (one.parent === other.parent ? 1 : 1.15))(hierarchy<Item>({ id: 0, more: 0 }, below));
  const places = new Map<unknown, Place>();
  root.eachBefore((point) => {
    const { id, more } = point.data;
    const parent = point.parent ? (places.get(point.parent) ?? null) : null;
    const place: Place = {
      key: more > 0 ? `more${id}` : `node${id}`,
      id,
      more,
      x: point.y,
      y: point.x,
      level: point.depth + 1,
      position: point.parent ? point.parent.children!.indexOf(point) + 1 : 1,
      siblings: point.parent ? point.parent.children!.length : 1,
      parent,
      first: null,
      closed: !point.children?.some((child) => child.data.more === 0),
    };
    if (parent && !parent.first) parent.first = place;
    places.set(point, place);
  });
  return [...places.values()];
}
