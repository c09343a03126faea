/** The whole viewer in one element. */

import { details, detailsOf, edits, outcome } from "./details";
import { h, say, set } from "./dom";
import { Finder } from "./finder";
import { handle } from "./keys";
import { help, legend } from "./legend";
import { Live } from "./live";
import { Scene } from "./scene";
import { settings, steering, steeringOf, taken } from "./steering";
import { Store } from "./store";
import css from "./style.css";
import { visible } from "./text";
import { follow } from "./theme";
import type { Changes, Command, Reply, Send, Snapshot } from "./types";
import { MORE } from "./visible";
import type { View } from "./visible";

/** How many of the chosen nodes stay shown. */
const RECENT = 20;

export interface Options {
  /** Takes a person's commands to the search; without it no steering is shown. */
  send?: Send;
  /** Of the viewer in a page that scrolls, in pixels; without it the viewer fills its element. */
  height?: number;
}

export class Viewer {
  store: Store;
  view: View = { chosen: 0, recent: [], closed: new Set(), opened: new Map() };
  scene: Scene;
  finder: Finder;
  live: Live;
  send: Send | null;
  /** The key of the chosen place. */
  active = "node0";
  private root = h("div", { class: "coat" });
  private forms = h("div", { class: "forms" });
  private about = h("div");
  private title = h("h2");
  private fold = h("button", { type: "button", click: () => this.toggle(this.view.chosen) }, "Collapse or expand");
  private chosen = h("section", { class: "chosen" }, this.title, this.forms, this.fold, this.about);
  private run = h("div");
  private done = h("div");
  private side = h("aside", { class: "side", tabindex: 0, "aria-label": "Details" }, this.chosen);
  private message = h("p", { class: "message", role: "status" });
  private question = h("h1", { dir: "auto" });
  private dialog = help();
  private settings: HTMLElement = h("div");
  private known = { details: "", forms: "", run: "", edits: "" };
  private frame = 0;
  private placed = false;
  private unfollow: () => void;
  private resized: ResizeObserver;

  constructor(host: HTMLElement, data: Snapshot, options: Options) {
    this.store = new Store(data);
    this.send = options.send ? (command: Command) => this.command(command, options.send!) : null;
    const actions = { choose: (key: string) => this.press(key), toggle: (id: number) => this.toggle(id) };
    this.scene = new Scene(this.store, this.view, () => this.active, actions, options.height !== undefined);
    this.finder = new Finder(this.store, (hits) => this.mark(hits), (id) => this.choose(id));
    this.live = new Live(this.store, this.send);
    const shadow = host.shadowRoot ?? host.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    shadow.adoptedStyleSheets = [sheet];
    host.dataset["lmSuppressShortcuts"] = "true";
    this.compose();
    shadow.replaceChildren(this.root);
    if (options.height !== undefined) this.root.style.height = `${options.height}px`;
    this.scene.svg.addEventListener("keydown", (event) => handle(this, event));
    this.root.addEventListener("keydown", (event) => this.anywhere(event));
    this.unfollow = follow(this.root);
    this.resized = new ResizeObserver(() => this.place());
    this.resized.observe(this.scene.svg);
    this.refresh();
  }

  update(changes: Changes): void {
    this.store.update(changes);
    if (!this.frame) this.frame = requestAnimationFrame(() => this.refresh());
  }

  /** What came of a command. */
  reply(reply: Reply): void {
    say(this.message, reply.error === undefined ? "" : visible(reply.error));
    set(this.message, "role", reply.error === undefined ? "status" : "alert");
    if (!reply.done) return;
    taken(this.settings, reply.done);
    if (reply.done.do === "edit" || reply.done.do === "add") this.known.forms = "";
    this.tell();
  }

  destroy(): void {
    cancelAnimationFrame(this.frame);
    this.unfollow();
    this.resized.disconnect();
    this.root.remove();
  }

  /** Choose a node and bring it into view. */
  choose(id: number): void {
    if (!this.store.has(id)) return;
    for (const each of this.store.up(id)) if (each !== id) this.view.closed.delete(each);
    this.view.recent = [this.view.chosen, ...this.view.recent.filter((each) => each !== this.view.chosen)].slice(0, RECENT);
    this.view.chosen = id;
    this.active = `node${id}`;
    this.refresh();
    this.scene.reveal(this.active);
  }

  /** Choose a place by its key; a stub shows more. */
  press(key: string): void {
    const place = this.scene.place(key);
    if (!place) return;
    if (place.more > 0) this.expand(place.id);
    else this.choose(place.id);
  }

  /** Choose a place without opening it, as the arrows do. */
  move(key: string): void {
    const place = this.scene.place(key);
    if (!place) return;
    if (place.more === 0) return this.choose(place.id);
    this.active = key;
    this.scene.draw();
    this.scene.reveal(key);
  }

  /** Show more of what is below a node. */
  expand(id: number): void {
    const shown = this.store.kids(id).filter((kid) => this.scene.shown.nodes.has(kid)).length;
    const number = this.view.closed.has(id) ? Math.max(shown, MORE) : shown + MORE;
    this.view.closed.delete(id);
    this.view.opened.delete(id);
    this.view.opened.set(id, number);
    this.choose(id);
  }

  collapse(id: number): void {
    if (!this.store.kids(id).length) return;
    this.view.opened.delete(id);
    this.view.closed.add(id);
    this.choose(id);
  }

  toggle(id: number): void {
    const open = this.store.kids(id).some((kid) => this.scene.shown.nodes.has(kid));
    if (open) this.collapse(id);
    else if (this.store.kids(id).length) this.expand(id);
  }

  goToBest(): void {
    const last = this.store.data.best.at(-1);
    if (last !== undefined) this.choose(last);
  }

  showHelp(): void {
    this.dialog.showModal();
  }

  toDetails(): void {
    this.side.focus();
  }

  private refresh(): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    this.scene.arrange();
    if (!this.scene.place(this.active)) this.active = `node${this.view.chosen}`;
    if (!this.scene.camera.touched) this.place();
    this.finder.look(false);
    this.live.update();
    this.tell();
  }

  private place(): void {
    if (!this.scene.camera.width || !this.scene.camera.height) return;
    if (!this.placed) this.scene.home();
    else if (!this.scene.camera.touched) this.scene.follow();
    else this.scene.draw();
    this.placed = true;
  }

  /** Bring the words beside the tree up to date, each part only where it changed. */
  private tell(): void {
    const { store, known, send } = this;
    const id = this.view.chosen;
    say(this.question, visible(store.data.question) || "Search tree");
    const changed = (part: keyof typeof known, now: string): boolean => known[part] !== now && ((known[part] = now), true);
    const steers = send !== null && store.data.steerable && store.data.state !== "done";
    if (changed("details", `${steers}${id}${detailsOf(id, store)}`)) {
      const forget = steers ? (fact: number) => send({ do: "forget_fact", fact }) : null;
      say(this.title, id === 0 ? "Question" : `Step ${id}`);
      this.about.replaceChildren(...details(id, store, forget));
    }
    if (changed("forms", `${steers} ${steeringOf(id, store)}`)) {
      this.forms.replaceChildren(...[steers ? steering(id, store, send) : null].filter((each) => each !== null));
    }
    const { result, state, task, strategy, model } = store.data;
    if (changed("run", JSON.stringify([result, state, task, strategy, model, store.nodes.length, store.spent, steers]))) {
      this.run.replaceChildren(...[outcome(store)].filter((each) => each !== null));
    }
    if (changed("edits", JSON.stringify(store.data.edits))) {
      this.done.replaceChildren(...[edits(store, (node) => this.choose(node))].filter((each) => each !== null));
    }
    this.settings.hidden = !steers;
    this.fold.hidden = store.kids(id).length === 0;
  }

  private compose(): void {
    const button = (name: string, title: string, press: () => void): HTMLElement =>
      h("button", { type: "button", title, "aria-label": title, click: press }, name);
    const tools = h("div", { class: "tools", role: "group", "aria-label": "Picture" });
    tools.append(
      button("\u2212", "Zoom out", () => this.scene.camera.by(1 / 1.3)),
      button("+", "Zoom in", () => this.scene.camera.by(1.3)),
      button("Fit", "Fit the whole tree", () => this.scene.fit()),
      button("Best", "Go to the end of the best path", () => this.goToBest()),
      button("?", "Help", () => this.showHelp()),
    );
    const head = h("header", {}, this.question, this.finder.element, tools);
    if (this.send) this.settings = settings(this.store, this.send);
    this.side.append(this.settings, this.run, this.done);
    const main = h("div", { class: "main" }, h("div", { class: "stage" }, this.scene.svg), this.side);
    this.root.append(head, this.live.element, this.message, main, legend(), this.dialog);
  }

  private anywhere(event: KeyboardEvent): void {
    if (event.key !== "Escape" || event.defaultPrevented || this.dialog.open) return;
    this.scene.svg.focus();
  }

  private mark(hits: Set<number>): void {
    this.scene.hits = hits;
    this.scene.draw();
  }

  private command(command: Command, send: Send): void {
    say(this.message, "");
    send(command);
  }
}
