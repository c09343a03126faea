/** The keyboard on the tree. */

import type { Place } from "./layout";
import type { Viewer } from "./viewer";

type Key = (viewer: Viewer, place: Place, at: number) => void;

const STEP = 80;

const MOVES: Record<string, [number, number]> = {
  ArrowUp: [0, STEP],
  ArrowDown: [0, -STEP],
  ArrowLeft: [STEP, 0],
  ArrowRight: [-STEP, 0],
};

const KEYS: Record<string, Key> = {
  ArrowUp: (viewer, _, at) => to(viewer, at - 1),
  ArrowDown: (viewer, _, at) => to(viewer, at + 1),
  Home: (viewer) => to(viewer, 0),
  End: (viewer) => to(viewer, viewer.scene.places.length - 1),
  ArrowRight: right,
  ArrowLeft: left,
  Enter: (viewer, place) => (place.more > 0 ? viewer.expand(place.id) : viewer.toDetails()),
  " ": (viewer, place) => (place.more > 0 ? viewer.expand(place.id) : viewer.toggle(place.id)),
  b: (viewer) => viewer.goToBest(),
  "/": (viewer) => viewer.finder.input.focus(),
  n: (viewer) => viewer.finder.step(1),
  N: (viewer) => viewer.finder.step(-1),
  f: (viewer) => viewer.scene.fit(),
  "+": (viewer) => viewer.scene.camera.by(1.3),
  "=": (viewer) => viewer.scene.camera.by(1.3),
  "-": (viewer) => viewer.scene.camera.by(1 / 1.3),
  p: (viewer) => viewer.live.toggle(),
  s: (viewer) => viewer.store.data.state === "paused" && viewer.send?.({ do: "step" }),
  "?": (viewer) => viewer.showHelp(),
};

export function handle(viewer: Viewer, event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const move = event.shiftKey ? MOVES[event.key] : undefined;
  const key = KEYS[event.key];
  const at = viewer.scene.places.findIndex((place) => place.key === viewer.active);
  const place = viewer.scene.places[at];
  if (move) viewer.scene.camera.shift(...move);
  else if (key && place) key(viewer, place, at);
  else return;
  event.preventDefault();
  event.stopPropagation();
}

function to(viewer: Viewer, at: number): void {
  const place = viewer.scene.places[at];
  if (place) viewer.move(place.key);
}

function right(viewer: Viewer, place: Place): void {
  if (place.more > 0) viewer.expand(place.id);
  else if (place.first && place.first.more === 0) viewer.move(place.first.key);
  else if (place.first) viewer.expand(place.id);
}

function left(viewer: Viewer, place: Place): void {
  if (place.more === 0 && !place.closed) viewer.collapse(place.id);
  else if (place.parent) viewer.move(place.parent.key);
}
