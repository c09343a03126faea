/** The data that the engine gives and the commands that it takes, as in coat/viewer/data.py. */

export interface Step {
  text: string;
  action: "think" | "recall" | "backtrack" | "answer";
  tokens: number[];
  logprob: number | null;
  generated: number;
  state: string;
  thought: boolean;
  move: string;
  model: number;
  author?: string;
}

export interface TreeNode {
  id: number;
  parent: number | null;
  depth: number;
  prior: number;
  visits: number;
  value: number;
  judged: number | null;
  status: "open" | "terminal" | "dead";
  expansions: number;
  quota: number;
  parts: Record<string, number>;
  recalled: number[];
  step: Step;
}

export interface Fact {
  id: number;
  text: string;
  source?: string;
  score?: number;
  kind?: string;
  via?: string;
}

export interface Edit {
  by: string;
  do: string;
  at?: number;
  seconds?: number;
  node?: number | null;
  text?: string;
  new?: number;
  fact?: number;
  tokens?: number | null;
  limit_seconds?: number | null;
}

export interface Result {
  answer?: string | null;
  correct?: boolean | null;
  confidence?: number;
  stop?: string;
  remarks?: string[];
}

export interface Snapshot {
  question: string;
  task: string;
  strategy: string;
  model: string;
  state: "running" | "paused" | "done";
  steerable: boolean;
  pinned: number | null;
  usage: Record<string, unknown>;
  seconds: number;
  budget: { tokens: number | null; seconds: number | null };
  result: Result | null;
  best: number[];
  edits: Edit[];
  recalled: Record<string, Fact[]>;
  nodes: TreeNode[];
}

export type Changes = Partial<Snapshot>;

export type Command =
  | { do: "prune" | "pin"; node: number }
  | { do: "unpin" | "pause" | "resume" | "step" | "stop" }
  | { do: "edit" | "add"; node: number; text: string }
  | { do: "add_fact"; text: string }
  | { do: "forget_fact"; fact: number }
  | { do: "budget"; tokens: number | null; seconds: number | null };

export interface Reply {
  error?: string;
  done?: Command;
}

export type Send = (command: Command) => void;
