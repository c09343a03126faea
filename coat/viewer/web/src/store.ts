/** The tree as it is known now: the snapshot with all changes, and what follows from it. */

import type { Changes, Fact, Snapshot, TreeNode } from "./types";
import { visible } from "./text";

export interface Point {
  tokens: number;
  step: number | null;
  answer: number | null;
}

const POINTS = 600;

export class Store {
  data: Snapshot;
  nodes: (TreeNode | undefined)[] = [];
  children = new Map<number, number[]>();
  /** Nodes of the best path, the root included. */
  best = new Set<number>([0]);
  mostVisits = 1;
  curve: Point[] = [];
  private sizes: number[] | null = null;

  constructor(data: Snapshot) {
    this.data = { ...data };
    this.take(data.nodes);
    this.best = new Set([0, ...data.best]);
    this.retrace();
  }

  update(changes: Changes): void {
    const { nodes, ...rest } = changes;
    Object.assign(this.data, rest);
    if (nodes) this.take(nodes);
    if (changes.best) this.best = new Set([0, ...changes.best]);
    if (nodes || changes.usage) this.trace();
  }

  get(id: number): TreeNode {
    const node = this.nodes[id];
    if (!node) throw new RangeError(`there is no node ${id}`);
    return node;
  }

  has(id: number): boolean {
    return this.nodes[id] !== undefined;
  }

  all(): TreeNode[] {
    return this.nodes.filter((node): node is TreeNode => node !== undefined);
  }

  kids(id: number): number[] {
    return this.children.get(id) ?? [];
  }

  facts(id: number): Fact[] {
    return this.data.recalled[String(id)] ?? [];
  }

  /** The node and all above it, the root last. */
  up(id: number): number[] {
    const chain: number[] = [];
    for (let at: number | null = id; at !== null; at = this.get(at).parent) chain.push(at);
    return chain;
  }

  /** How many nodes a branch holds, by the id of its first. */
  size(id: number): number {
    if (!this.sizes) {
      const sizes: number[] = new Array(this.nodes.length).fill(0);
      for (let at = this.nodes.length - 1; at >= 0; at--) {
        const node = this.nodes[at];
        if (!node) continue;
        sizes[at] = sizes[at]! + 1;
        if (node.parent !== null) sizes[node.parent] = sizes[node.parent]! + sizes[at]!;
      }
      this.sizes = sizes;
    }
    return this.sizes[id] ?? 0;
  }

  /** Ids of the nodes whose text, action or recalled facts hold `words`, in the order of the tree's growth. */
  find(words: string): number[] {
    const wanted = fold(words);
    if (!wanted) return [];
    const holds = (text: string): boolean => fold(text).includes(wanted);
    return this.all()
      .filter((node) => node.id > 0)
      .filter(({ id, step }) => holds(step.text) || this.facts(id).some((fact) => holds(fact.text)))
      .map((node) => node.id);
  }

  get spent(): number {
    return amount(this.data.usage["generated"]) + amount(this.data.usage["scored"]) + amount(this.data.usage["replayed"]);
  }

  private take(nodes: TreeNode[]): void {
    for (const node of nodes) {
      if (!this.nodes[node.id] && node.parent !== null) {
        const kids = this.children.get(node.parent);
        if (kids) kids.push(node.id);
        else this.children.set(node.parent, [node.id]);
        this.sizes = null;
      }
      this.nodes[node.id] = node;
      this.mostVisits = Math.max(this.mostVisits, node.visits);
    }
  }

  /** The curve of a tree that is given at once: the tokens spent are shared out as its steps were generated. */
  private retrace(): void {
    const nodes = this.all();
    const generated = nodes.reduce((sum, node) => sum + node.step.generated, 0);
    const scale = generated > 0 && this.spent > 0 ? this.spent / generated : 1;
    let tokens = 0;
    let point: Point = { tokens: 0, step: null, answer: null };
    for (const node of nodes) {
      tokens += node.step.generated * scale;
      const next = better(point, node);
      if (next !== point) this.curve.push({ ...next, tokens: Math.round(tokens) });
      point = next;
    }
    this.curve.push({ ...point, tokens: this.spent || Math.round(tokens) });
    this.curve = thinned(this.curve);
  }

  private trace(): void {
    let point: Point = { tokens: this.spent, step: null, answer: null };
    for (const node of this.all()) point = better(point, node);
    const last = this.curve.at(-1);
    const before = this.curve.at(-2);
    const same = (one?: Point, other?: Point): boolean => one?.step === other?.step && one?.answer === other?.answer;
    if (same(last, point) && same(before, point)) this.curve.pop();
    this.curve.push(point);
    this.curve = thinned(this.curve);
  }
}

/** What a node is worth: the mean of its visits, or else what the judge said of it; null where neither is there. */
export function worth(node: TreeNode): number | null {
  return node.visits > 0 ? node.value : node.judged;
}

function better(point: Point, node: TreeNode): Point {
  const { judged, status } = node;
  if (judged === null || status === "dead") return point;
  const step = point.step === null || judged > point.step;
  const answer = status === "terminal" && (point.answer === null || judged > point.answer);
  if (!step && !answer) return point;
  return { tokens: point.tokens, step: step ? judged : point.step, answer: answer ? judged : point.answer };
}

function thinned(curve: Point[]): Point[] {
  return curve.length <= POINTS ? curve : curve.filter((_, at) => at % 2 === 0 || at === curve.length - 1);
}

function fold(text: string): string {
  return visible(text).normalize("NFKC").toLocaleLowerCase();
}

/** A count of the usage; 0 where it is missing. */
export function amount(value: unknown): number {
  return typeof value === "number" ? value : 0;
}
