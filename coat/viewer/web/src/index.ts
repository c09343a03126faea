/** Where the viewer begins: in a page, in a notebook, or in a file of its own. */

import { Viewer } from "./viewer";
import type { Options } from "./viewer";
import type { Changes, Reply, Snapshot } from "./types";

/** What a page that holds a viewer can do with it. */
export interface Handle {
  /** Take new and changed nodes, and the top-level entries that changed. */
  update(changes: Changes): void;
  /** Show what came of a command: an error is shown as its sentence. */
  reply(reply: Reply): void;
  destroy(): void;
}

/** Show `data` in `element`. */
export function mount(element: HTMLElement, data: Snapshot, options: Options = {}): Handle {
  const viewer = new Viewer(element, data, options);
  return {
    update: (changes) => viewer.update(changes),
    reply: (reply) => viewer.reply(reply),
    destroy: () => viewer.destroy(),
  };
}

interface Model {
  get(name: string): unknown;
  on(event: string, heard: (message: Message) => void): void;
  off(event: string, heard: (message: Message) => void): void;
  send(command: unknown): void;
}

type Message = { kind: "update"; changes: Changes } | ({ kind: "reply" } & Reply);

/** Viewers by the key of their model: a view that is made anew takes up the one that is in no page any more. */
const viewers = new Map<string, { place: HTMLElement; handle: Handle }>();
const PATIENCE = 5000;

/** What anywidget calls for every view of a model; the result ends the view. */
function render({ model, el }: { model: Model; el: HTMLElement }): () => void {
  const key = model.get("key") as string;
  const known = viewers.get(key);
  const viewer = known && !known.place.isConnected ? known : begin(model);
  viewers.set(key, viewer);
  el.append(viewer.place);
  const heard = (message: Message): void => {
    if (message.kind === "update") viewer.handle.update(message.changes);
    else if (message.kind === "reply") viewer.handle.reply(message);
  };
  model.on("msg:custom", heard);
  model.send({ do: "show" });
  return () => {
    model.off("msg:custom", heard);
    viewer.place.remove();
    setTimeout(() => {
      if (viewer.place.isConnected) return;
      viewer.handle.destroy();
      if (viewers.get(key) === viewer) viewers.delete(key);
    }, PATIENCE);
  };
}

function begin(model: Model): { place: HTMLElement; handle: Handle } {
  const place = document.createElement("div");
  const height = (model.get("height") as number | undefined) ?? 560;
  const send = (command: unknown): void => model.send(command);
  return { place, handle: mount(place, model.get("data") as Snapshot, { height, send }) };
}

export default { render };

const data = document.querySelector<HTMLScriptElement>('script#coat-data[type="application/json"]');
const place = document.getElementById("coat-viewer");
if (data && place) mount(place, JSON.parse(data.text) as Snapshot);
