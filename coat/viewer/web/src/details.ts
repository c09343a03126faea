/** All about the chosen node. */

import { h } from "./dom";
import { colour, tags } from "./marks";
import type { Store } from "./store";
import { worth } from "./store";
import { count, decimal, visible } from "./text";
import type { Edit, Fact, TreeNode } from "./types";

const PARTS: Record<string, string> = {
  F_g: "F_g, of the step itself",
  F_a: "F_a, of what was recalled",
};

/** What the details of a node depend on. */
export function detailsOf(id: number, store: Store): string {
  const facts = store.facts(id);
  return JSON.stringify([store.get(id), facts, store.data.pinned === id, store.best.has(id), store.data.question]);
}

/** The text of a node and all that is known of it. */
export function details(id: number, store: Store, forget: ((fact: number) => void) | null): HTMLElement[] {
  const node = store.get(id);
  const text = id === 0 ? store.data.question : node.step.text;
  const said = tags(node, store);
  if (id > 0 && store.best.has(id)) said.unshift("\u2605 best path");
  return [
    said.length ? h("p", { class: "tags" }, ...said.map((tag) => h("span", { class: "tag" }, visible(tag)))) : null,
    h("p", { class: "whole", dir: "auto" }, visible(text) || "(empty)"),
    figures(node),
    facts(store.facts(id), forget),
  ].filter((each) => each !== null);
}

function figures(node: TreeNode): HTMLElement {
  const { step } = node;
  const value = worth(node);
  const rows: [string, string | HTMLElement][] = [["Action", step.action]];
  rows.push(["Value", swatch(value)]);
  if (node.judged !== null && node.visits > 0) rows.push(["Judged", decimal(node.judged, 3)]);
  for (const [name, part] of Object.entries(node.parts)) rows.push([PARTS[name] ?? visible(name), decimal(part, 3)]);
  rows.push(["Visits", count(node.visits)], ["Prior", decimal(node.prior, 3)]);
  rows.push(["Log-probability", step.logprob === null ? "unknown" : decimal(step.logprob, 3)]);
  if (step.logprob !== null && step.generated > 0) {
    rows.push(["\u2026 a token", decimal(step.logprob / step.generated, 3)]);
  }
  rows.push(["Tokens", `${count(step.generated)} generated, ${count(step.tokens.length)} in the text`]);
  rows.push(["Status", `${node.status}, depth ${node.depth}, expanded ${count(node.expansions)}\u00d7`]);
  if (step.author) rows.push(["Written by", visible(step.author)]);
  if (step.move) rows.push(["Move", visible(step.move)]);
  if (step.state) rows.push(["State", h("bdi", {}, visible(step.state))]);
  return h("dl", {}, ...rows.flatMap(([name, what]) => [h("dt", {}, name), h("dd", {}, what)]));
}

function swatch(value: number | null): HTMLElement {
  const box = h("i", { class: "swatch", "aria-hidden": "true" });
  const fill = colour(value);
  if (fill) box.style.backgroundColor = fill;
  return h("span", {}, fill ? box : null, decimal(value, 3));
}

function facts(found: Fact[], forget: ((fact: number) => void) | null): HTMLElement | null {
  if (!found.length) return null;
  const entry = (fact: Fact): HTMLElement => {
    const origin = [fact.kind, fact.source, fact.score === undefined ? "" : decimal(fact.score), via(fact)];
    const about = origin.filter((each) => each).join(", ");
    const button = forget && h("button", { type: "button", click: () => forget(fact.id) }, `Forget fact ${fact.id}`);
    return h("li", {}, h("bdi", { class: "whole" }, visible(fact.text)), h("small", {}, h("bdi", {}, visible(about))), button);
  };
  return h("section", {}, h("h3", {}, `Recalled for its next steps (${found.length})`), h("ul", { class: "facts" }, ...found.map(entry)));
}

function via(fact: Fact): string {
  return fact.via ? `via ${fact.via}` : "";
}

const DID: Record<string, string> = {
  prune: "closed",
  pin: "pinned",
  unpin: "lifted the pin",
  edit: "rewrote",
  add: "added a thought below",
  add_fact: "added a fact",
  forget_fact: "let a fact be forgotten",
  budget: "changed the budget",
};

/** What persons did to the tree, and when; `go` shows a node. */
export function edits(store: Store, go: (node: number) => void): HTMLElement | null {
  const found = store.data.edits;
  if (!found.length) return null;
  const entry = (edit: Edit): HTMLElement => {
    const nodes = [edit.node, edit.new].filter((id): id is number => typeof id === "number" && store.has(id));
    const links = nodes.map((id) => h("button", { type: "button", class: "link", click: () => go(id) }, `step ${id}`));
    return h("li", {}, h("bdi", {}, visible(edit.by)), ` ${DID[edit.do] ?? visible(edit.do)} `, ...between(links), " ", more(edit), when(edit));
  };
  return h("section", {}, h("h2", {}, `Edits (${found.length})`), h("ol", { class: "edits" }, ...found.map(entry)));
}

function between(links: HTMLElement[]): (HTMLElement | string)[] {
  return links.flatMap((link, at) => (at === 0 ? [link] : [" as ", link]));
}

function more(edit: Edit): HTMLElement | string {
  if (edit.do === "budget") {
    const parts = [edit.tokens ? `${count(edit.tokens)} tokens` : "", edit.limit_seconds ? `${edit.limit_seconds} s` : ""];
    return parts.filter((each) => each).join(", ");
  }
  if (edit.text) return h("q", { dir: "auto" }, visible(edit.text));
  return typeof edit.fact === "number" ? `(${edit.fact})` : "";
}

function when(edit: Edit): HTMLElement {
  const replies = edit.at === undefined ? "" : `after ${count(edit.at)} replies`;
  const seconds = edit.seconds === undefined ? "" : `${edit.seconds.toFixed(1)} s`;
  return h("small", {}, [replies, seconds].filter((each) => each).join(", "));
}

/** The run in a few lines: what was asked of whom, and what came out. */
export function outcome(store: Store): HTMLElement | null {
  const { data } = store;
  const rows: [string, string][] = [];
  if (data.result) {
    const { answer, correct, confidence, stop } = data.result;
    const verdict = correct === true ? " (right)" : correct === false ? " (wrong)" : "";
    rows.push(["Answer", answer === null || answer === undefined ? "none was reached" : visible(answer) + verdict]);
    if (confidence !== undefined) rows.push(["Confidence", decimal(confidence)]);
    if (stop) rows.push(["Stopped", visible(stop)]);
    for (const remark of data.result.remarks ?? []) rows.push(["Note", visible(remark)]);
  }
  const set: [string, string][] = [
    ["Task", data.task],
    ["Strategy", data.strategy],
    ["Model", data.model],
  ];
  rows.push(...set.filter(([, value]) => value).map(([name, value]): [string, string] => [name, visible(value)]));
  rows.push(["Nodes", count(store.all().length)]);
  if (store.spent) rows.push(["Tokens", `${count(store.spent)} generated and scored`]);
  if (data.seconds) rows.push(["Seconds", data.seconds.toFixed(1)]);
  const entries = rows.flatMap(([name, what]) => [h("dt", {}, name), h("dd", {}, h("bdi", {}, what))]);
  return h("section", {}, h("h2", {}, "Run"), h("dl", {}, ...entries));
}
