/** The viewer's layout for pictures that are drawn without a browser; `coat/viewer/layout.py` runs it. */

import { hierarchy, tree } from "d3-hierarchy";

/** For each node its place across and its level; `parents` are places in the same list, the root first, with null. */
export function tidy(parents: readonly (number | null)[]): [number, number][] {
  const below = parents.map((): number[] => []);
  parents.forEach((parent, child) => {
    if (parent !== null) below[parent]!.push(child);
  });
  const root = tree<number>().nodeSize([1, 1]).separation(() => 1)(hierarchy(0, (node) => below[node]));
  const places = new Array<[number, number]>(parents.length);
  root.each((point) => {
    places[point.data] = [point.x, point.depth];
  });
  return places;
}
