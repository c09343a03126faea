/** Elements with text nodes only: no markup is ever read from a text. */

type Child = Node | string | null | false;
type Properties = Record<string, string | number | boolean | null | ((event: never) => void)>;

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element; functions become listeners by name, true an empty attribute, null and false none. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Properties = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  return furnish(document.createElement(tag), properties, children);
}

/** An SVG element, in the same way. */
export function s<K extends keyof SVGElementTagNameMap>(
  tag: K,
  properties: Properties = {},
  ...children: Child[]
): SVGElementTagNameMap[K] {
  return furnish(document.createElementNS(SVG, tag), properties, children);
}

function furnish<E extends Element>(element: E, properties: Properties, children: Child[]): E {
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") element.addEventListener(name, value as EventListener);
    else set(element, name, value);
  }
  element.append(...children.filter((child): child is Node | string => child !== null && child !== false));
  return element;
}

/** Set an attribute where it changes; null and false remove it. */
export function set(element: Element, name: string, value: string | number | boolean | null): void {
  const text = value === null || value === false ? null : value === true ? "" : String(value);
  if (text === null) element.removeAttribute(name);
  else if (element.getAttribute(name) !== text) element.setAttribute(name, text);
}

/** Set the text of an element where it changes. */
export function say(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}
