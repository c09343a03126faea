/** What a person can tell a search at work: on the chosen node, on facts, and on the budget. */

import { h } from "./dom";
import type { Store } from "./store";
import type { Command, Send } from "./types";

/** What the forms of a node depend on: they are made anew, and lose what was typed, only when this changes. */
export function steeringOf(id: number, store: Store): string {
  const { data } = store;
  return `${id} ${store.get(id).status} ${data.pinned} ${data.steerable} ${data.state === "done"}`;
}

/** The buttons and forms for node `id`. */
export function steering(id: number, store: Store, send: Send): HTMLElement | null {
  const { data } = store;
  if (!data.steerable || data.state === "done") return null;
  const place = h("div");
  const node = store.get(id);
  const button = (name: string, press: () => void): HTMLButtonElement =>
    h("button", { type: "button", click: press }, name);
  const open = (name: string, text: string, done: (text: string) => void): void => {
    place.replaceChildren(form(name, text, done, () => place.replaceChildren()));
    place.querySelector("textarea")?.focus();
  };
  const buttons: HTMLElement[] = [];
  if (id > 0 && node.status !== "dead") {
    buttons.push(button("Prune", () => send({ do: "prune", node: id })));
    if (data.pinned === id) buttons.push(button("Unpin", () => send({ do: "unpin" })));
    else buttons.push(button("Pin", () => send({ do: "pin", node: id })));
    const edit = (text: string): void => send({ do: "edit", node: id, text });
    buttons.push(button("Edit\u2026", () => open("The step as it should be", node.step.text, edit)));
  }
  if (data.pinned !== null && data.pinned !== id) buttons.push(button("Lift the pin", () => send({ do: "unpin" })));
  if (node.status === "open") {
    const add = (text: string): void => send({ do: "add", node: id, text });
    buttons.push(button("Add a thought\u2026", () => open("A thought below this step", "", add)));
  }
  const group = h("div", { class: "buttons", role: "group", "aria-label": "Steer the search" }, ...buttons);
  return h("section", { class: "steering" }, group, place);
}

function form(name: string, text: string, done: (text: string) => void, close: () => void): HTMLElement {
  const field = h("textarea", { rows: 3, dir: "auto", required: true });
  field.value = text;
  const submit = (event: Event): void => {
    event.preventDefault();
    if (!field.value.trim()) return;
    done(field.value);
  };
  const keys = (event: KeyboardEvent): void => {
    if (event.key === "Escape") close();
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit(event);
  };
  return h(
    "form",
    { class: "form", submit, keydown: keys },
    h("label", {}, name, field),
    h("div", { class: "buttons" }, h("button", { type: "submit" }, "Send"), h("button", { type: "button", click: close }, "Cancel")),
  );
}

/** What was typed is kept until the search has taken it. */
export function taken(forms: HTMLElement, command: Command): void {
  const field = command.do === "add_fact" ? forms.querySelector<HTMLInputElement>(".fact-text") : null;
  if (field) field.value = "";
}

/** The forms for a new fact and another budget. */
export function settings(store: Store, send: Send): HTMLElement {
  const fact = h("input", { type: "text", class: "fact-text", dir: "auto", required: true });
  const tokens = number(store.data.budget.tokens, 1);
  const seconds = number(store.data.budget.seconds, "any");
  const submitFact = (event: Event): void => {
    event.preventDefault();
    if (!fact.value.trim()) return;
    send({ do: "add_fact", text: fact.value });
  };
  const submitBudget = (event: Event): void => {
    event.preventDefault();
    send({ do: "budget", tokens: value(tokens), seconds: value(seconds) });
  };
  const apart = h("details", {}, h("summary", {}, "Facts and budget"));
  apart.append(
    h("form", { class: "form", submit: submitFact }, h("label", {}, "A fact for later recalls", fact), h("button", { type: "submit" }, "Add the fact")),
    h(
      "form",
      { class: "form", submit: submitBudget },
      h("div", { class: "pair" }, h("label", {}, "Tokens in all", tokens), h("label", {}, "Seconds in all", seconds)),
      h("button", { type: "submit" }, "Set the budget"),
    ),
  );
  return apart;
}

function number(given: number | null, step: number | string): HTMLInputElement {
  const field = h("input", { type: "number", min: step === "any" ? 0 : 1, step });
  field.value = given === null ? "" : String(given);
  return field;
}

function value(field: HTMLInputElement): number | null {
  return field.value === "" ? null : field.valueAsNumber;
}
