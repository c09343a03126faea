// Builds ../static/viewer.js and tidy.js (or in the folder named as the argument), and the licences of what they bundle.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? join(here, "..", "static");

const common = {
  absWorkingDir: here,
  bundle: true,
  minify: true,
  target: "es2022",
  charset: "ascii",
  legalComments: "none",
  loader: { ".css": "text" },
  metafile: true,
};
const built = await Promise.all([
  esbuild.build({ ...common, entryPoints: ["src/index.ts"], outfile: join(out, "viewer.js"), format: "esm" }),
  esbuild.build({
    ...common,
    entryPoints: ["src/tidy.ts"],
    outfile: join(out, "tidy.js"),
    format: "iife",
    globalName: "layout",
  }),
]);

const packages = new Set();
for (const input of built.flatMap(({ metafile }) => Object.keys(metafile.inputs))) {
  const [, name] = input.split("\\").join("/").match(/node_modules\/((?:@[^/]+\/)?[^/]+)/) ?? [];
  if (name) packages.add(name);
}
const licences = [...packages].sort().map((name) => {
  const home = join(here, "node_modules", ...name.split("/")) + sep;
  const { version } = JSON.parse(readFileSync(home + "package.json", "utf8"));
  return `${name} ${version}\n\n${readFileSync(home + "LICENSE", "utf8").trim()}\n`;
});
const head = "What viewer.js and tidy.js hold beside coat's own code.\n\n";
writeFileSync(join(out, "LICENSES.txt"), head + licences.join(`\n${"-".repeat(80)}\n\n`));
