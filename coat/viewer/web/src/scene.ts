/** The picture of the tree: only what is in view is in the document. */

import { Camera } from "./camera";
import type { Box } from "./camera";
import { s, set } from "./dom";
import { annotate, end, parts, signature } from "./glyph";
import { arrange, ROW } from "./layout";
import type { Place } from "./layout";
import type { Store } from "./store";
import { choose } from "./visible";
import type { Shown, View } from "./visible";

/** Below this scale there are no labels. */
const FAR = 0.42;
/** The least scale at which the picture is shown unless a person asks for less. */
const READABLE = 0.72;

interface Drawn {
  group: SVGGElement;
  signature: string;
  place: Place | null;
  active: boolean;
}

export interface Actions {
  choose(key: string): void;
  toggle(id: number): void;
}

export class Scene {
  svg: SVGSVGElement;
  camera: Camera;
  places: Place[] = [];
  shown: Shown = { nodes: new Set(), hidden: new Map() };
  hits = new Set<number>();
  private byKey = new Map<string, Place>();
  private drawn = new Map<string, Drawn>();
  private links = s("path", { class: "links" });
  private dying = s("path", { class: "links dying" });
  private path = s("path", { class: "links best" });
  private ring = s("rect", { class: "ring", rx: 9 });
  private layer = s("g");
  private world = s("g", {}, this.ring, this.links, this.dying, this.path, this.layer);
  private frame = 0;
  private column = 0;

  constructor(
    private store: Store,
    private view: View,
    private active: () => string,
    actions: Actions,
    embedded: boolean,
  ) {
    this.svg = s("svg", { class: "tree", role: "tree", tabindex: 0, "aria-label": "Search tree" }, this.world);
    this.camera = new Camera(this.svg, () => this.draw(), embedded);
    const key = (event: Event): string | undefined =>
      (event.target as Element).closest<SVGGElement>("[data-key]")?.dataset["key"];
    this.svg.addEventListener("click", (event) => {
      const found = key(event);
      if (found) actions.choose(found);
    });
    this.svg.addEventListener("dblclick", (event) => {
      const place = this.byKey.get(key(event) ?? "");
      if (place && place.more === 0) actions.toggle(place.id);
    });
  }

  place(key: string): Place | undefined {
    return this.byKey.get(key);
  }

  /** Choose anew what is shown and lay it out; what is chosen stays where it is on the screen. */
  arrange(): void {
    const was = this.byKey.get(this.active());
    this.shown = choose(this.store, this.view, this.shown.nodes);
    this.column = this.widest();
    this.places = arrange(this.store, this.shown, this.column);
    this.byKey = new Map(this.places.map((place) => [place.key, place]));
    const now = this.byKey.get(this.active());
    if (was && now && this.camera.touched) this.camera.drift(was.x - now.x, was.y - now.y);
    set(this.links, "d", this.lines((place) => !this.onBest(place) && !this.isDead(place)));
    set(this.dying, "d", this.lines((place) => !this.onBest(place) && this.isDead(place)));
    set(this.path, "d", this.lines((place) => this.onBest(place)));
    this.draw();
  }

  /** Draw in the next frame what is in view then. */
  draw(): void {
    if (!this.frame) this.frame = requestAnimationFrame(() => this.paint());
  }

  fit(): void {
    this.camera.show(this.bounds(this.places), 0);
  }

  /** The first view: the whole tree where it can be read, or else the best path from its beginning. */
  home(): void {
    const box = this.bounds(this.places);
    if (this.readable(box)) return this.camera.show(box, 0);
    const line = this.bounds(this.places.filter((place) => this.onBest(place) || place.id === 0));
    this.camera.show({ ...line, left: box.left }, READABLE);
  }

  /** Keep up with a tree that grows: move only where not all of it is in view, nor the end of its best path. */
  follow(): void {
    const box = this.bounds(this.places);
    const last = this.byKey.get(`node${this.store.data.best.at(-1) ?? 0}`);
    if (this.readable(box) || !last || !within(this.bounds([last]), this.camera.view)) this.home();
    else this.draw();
  }

  /** Whether all of `box` fits into the picture in letters that can be read. */
  private readable(box: Box): boolean {
    const { width, height } = this.camera;
    return (box.right - box.left) * READABLE < width && (box.bottom - box.top) * READABLE < height;
  }

  reveal(key: string): void {
    const place = this.byKey.get(key);
    if (place) this.camera.reveal(this.bounds([place]));
  }

  private paint(): void {
    this.frame = 0;
    const { k, x, y } = this.camera.transform;
    set(this.world, "transform", `translate(${x.toFixed(2)},${y.toFixed(2)}) scale(${k.toFixed(4)})`);
    const seen = this.camera.view;
    const active = this.active();
    const wanted = new Set<string>();
    for (const place of this.places) {
      if (place.key !== active && !inside(place, seen, this.column)) continue;
      wanted.add(place.key);
      this.show(place, k < FAR, place.key === active);
    }
    for (const [key, { group }] of this.drawn) {
      if (wanted.has(key)) continue;
      group.remove();
      this.drawn.delete(key);
    }
    this.mark(active);
  }

  private show(place: Place, far: boolean, active: boolean): void {
    const hit = place.more === 0 && this.hits.has(place.id);
    const wanted = signature(place, this.store, far, hit);
    let known = this.drawn.get(place.key);
    if (!known) {
      const group = s("g", { role: "treeitem", id: place.key, "data-key": place.key });
      known = { group, signature: "", place: null, active: false };
      this.drawn.set(place.key, known);
      this.layer.append(group);
    }
    if (known.signature !== wanted) {
      known.signature = wanted;
      known.group.replaceChildren(...parts(place, this.store, far));
      const best = place.more === 0 && place.id > 0 && this.store.best.has(place.id);
      set(known.group, "class", `place${best ? " on-best" : ""}${hit ? " hit" : ""}`);
    }
    if (known.place === place && known.active === active) return;
    [known.place, known.active] = [place, active];
    set(known.group, "transform", `translate(${place.x},${place.y})`);
    annotate(known.group, place, this.store, active, this.shown.hidden.has(place.id));
  }

  private mark(active: string): void {
    const place = this.byKey.get(active);
    set(this.svg, "aria-activedescendant", place ? place.key : null);
    if (!place) return;
    const wide = place.more > 0 ? 24 + 7 * String(place.more).length : 8 + end(place, this.store);
    const [left, top] = [place.x - 16, place.y - ROW / 2 + 2];
    for (const [name, value] of Object.entries({ x: left, y: top, width: wide + 8, height: ROW - 4 })) {
      set(this.ring, name, value);
    }
  }

  private onBest(place: Place): boolean {
    return place.more === 0 && place.id > 0 && this.store.best.has(place.id);
  }

  private isDead(place: Place): boolean {
    return place.more === 0 && this.store.get(place.id).status === "dead";
  }

  private lines(which: (place: Place) => boolean): string {
    let path = "";
    for (const place of this.places) {
      if (!place.parent || !which(place)) continue;
      const from = Math.min(place.parent.x + end(place.parent, this.store), place.x - 40);
      const middle = (from + place.x - 14) / 2;
      path += `M${from.toFixed(1)},${place.parent.y.toFixed(1)}`;
      path += `C${middle.toFixed(1)},${place.parent.y.toFixed(1)} ${middle.toFixed(1)},${place.y.toFixed(1)}`;
      path += ` ${(place.x - 14).toFixed(1)},${place.y.toFixed(1)}`;
    }
    return path;
  }

  /** The width that the longest label needs, in steps, so that it seldom changes. */
  private widest(): number {
    let most = 60;
    for (const id of this.shown.nodes) most = Math.max(most, end({ id, more: 0 }, this.store));
    return Math.ceil((most + 44) / 20) * 20;
  }

  private bounds(places: Place[]): Box {
    const xs = places.map((place) => place.x);
    const ys = places.map((place) => place.y);
    return {
      left: Math.min(...xs) - 20,
      right: Math.max(...xs) + this.column - 36,
      top: Math.min(...ys) - ROW / 2,
      bottom: Math.max(...ys) + ROW / 2,
    };
  }
}

function inside(place: Place, seen: Box, column: number): boolean {
  const across = place.x + column > seen.left && place.x - 30 < seen.right;
  return across && place.y + ROW > seen.top && place.y - ROW < seen.bottom;
}

function within(box: Box, seen: Box): boolean {
  return box.left >= seen.left && box.right <= seen.right && box.top >= seen.top && box.bottom <= seen.bottom;
}
