/** Texts of models and persons, made safe to look at. */

const LINE = 42;

/**
 * `text` with control codes and marks of writing direction as visible symbols; line ends and tabs stay. A file that
 * somebody else wrote may hold anything in its place.
 */
export function visible(text: unknown): string {
  return String(text ?? "")
    .replace(/[\u0000-\u0008\u000b-\u001f]/g, (char) => String.fromCharCode(0x2400 + char.charCodeAt(0)))
    .replace(/\u007f/g, "\u2421")
    .replace(/[\u0080-\u009f\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff]/g, code);
}

function code(char: string): string {
  return `\u27e8U+${char.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}\u27e9`;
}

/** `text` in one line of at most `length` characters, isolated from the writing direction of what follows. */
export function clamped(text: string, length = LINE): string {
  const line = visible(String(text ?? "").slice(0, 8 * length).replace(/\s+/g, " ").trim());
  const characters = graphemes(line, length + 1);
  const cut = characters.length > length || String(text ?? "").length > 8 * length;
  return `\u2068${characters.slice(0, length).join("").trimEnd()}${cut ? "\u2026" : ""}\u2069`;
}

function graphemes(line: string, most: number): string[] {
  const found: string[] = [];
  for (const { segment } of new Intl.Segmenter().segment(line)) {
    found.push(segment);
    if (found.length === most) break;
  }
  return found;
}

/** A number with two decimals; a dash where there is none. */
export function decimal(value: unknown, digits = 2): string {
  return typeof value === "number" ? value.toFixed(digits) : "\u2013";
}

/** A count with separators of thousands. */
export function count(value: number): string {
  return value.toLocaleString("en");
}
