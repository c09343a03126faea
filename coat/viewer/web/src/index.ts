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

/** What anywidget calls for every view of a model; the result ends the view. */
function render({ model, el }: { model: Model; el: HTMLElement }): () => void {
  const place = document.createElement("div");
  el.append(place);
  const height = (model.get("height") as number | undefined) ?? 560;
  const viewer = mount(place, model.get("data") as Snapshot, { height, send: (command) => model.send(command) });
  const heard = (message: Message): void => {
    if (message.kind === "update") viewer.update(message.changes);
    else if (message.kind === "reply") viewer.reply(message);
  };
  model.on("msg:custom", heard);
  return () => {
    model.off("msg:custom", heard);
    viewer.destroy();
  };
}

export default { render };

const data = document.querySelector<HTMLScriptElement>('script#coat-data[type="application/json"]');
const place = document.getElementById("coat-viewer");
if (data && place) mount(place, JSON.parse(data.text) as Snapshot);
