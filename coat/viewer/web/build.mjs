// Builds ../static/viewer.js (or the folder named as the argument) and, beside it, the licences of what is bundled.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? join(here, "..", "static");

const built = await esbuild.build({
  absWorkingDir: here,
  entryPoints: ["src/index.ts"],
  outfile: join(out, "viewer.js"),
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  charset: "ascii",
  legalComments: "none",
  loader: { ".css": "text" },
  metafile: true,
});

const packages = new Set();
for (const input of Object.keys(built.metafile.inputs)) {
  const [, name] = input.split("\\").join("/").match(/node_modules\/((?:@[^/]+\/)?[^/]+)/) ?? [];
  if (name) packages.add(name);
}
const licences = [...packages].sort().map((name) => {
  const home = join(here, "node_modules", ...name.split("/")) + sep;
  const { version } = JSON.parse(readFileSync(home + "package.json", "utf8"));
  return `${name} ${version}\n\n${readFileSync(home + "LICENSE", "utf8").trim()}\n`;
});
const head = "What viewer.js holds beside coat's own code.\n\n";
writeFileSync(join(out, "LICENSES.txt"), head + licences.join(`\n${"-".repeat(80)}\n\n`));
