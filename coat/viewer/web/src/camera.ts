/** Zoom and pan, by d3-zoom. */

import { select } from "d3-selection";
import { zoom, zoomIdentity, zoomTransform } from "d3-zoom";
import type { ZoomTransform } from "d3-zoom";

export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export class Camera {
  private zoom = zoom<SVGSVGElement, unknown>();
  private target;
  /** Whether a person has moved the picture. */
  touched = false;

  /** `embedded`: the wheel scrolls the page unless the tree has the focus or Ctrl is held. */
  constructor(
    private svg: SVGSVGElement,
    moved: () => void,
    embedded: boolean,
  ) {
    this.target = select(svg);
    this.zoom
      .scaleExtent([0.04, 3])
      .extent(() => [
        [0, 0],
        [this.width, this.height],
      ])
      .filter((event: MouseEvent) => {
        if (event.type !== "wheel") return !event.button && !event.ctrlKey;
        return !embedded || event.ctrlKey || event.metaKey || (svg.getRootNode() as ShadowRoot).activeElement === svg;
      })
      .on("zoom", ({ sourceEvent }: { sourceEvent: unknown }) => {
        if (sourceEvent) this.touched = true;
        moved();
      });
    this.target.call(this.zoom).on("dblclick.zoom", null);
  }

  get transform(): ZoomTransform {
    return zoomTransform(this.svg);
  }

  get width(): number {
    return this.svg.clientWidth;
  }

  get height(): number {
    return this.svg.clientHeight;
  }

  /** The part of the world that is in view. */
  get view(): Box {
    const { k, x, y } = this.transform;
    return { left: -x / k, top: -y / k, right: (this.width - x) / k, bottom: (this.height - y) / k };
  }

  by(factor: number): void {
    this.touched = true;
    this.zoom.scaleBy(this.target, factor);
  }

  /** Move the picture by so many pixels on the screen. */
  shift(x: number, y: number): void {
    this.touched = true;
    const { k } = this.transform;
    this.drift(x / k, y / k);
  }

  /** Move the picture by so much of the world. */
  drift(x: number, y: number): void {
    if (x !== 0 || y !== 0) this.zoom.translateBy(this.target, x, y);
  }

  /** Show all of `box`, but no larger than life and no smaller than `least`; what is too large begins at its left. */
  show(box: Box, least: number): void {
    const margin = 24;
    const wide = Math.max(1, box.right - box.left);
    const high = Math.max(1, box.bottom - box.top);
    const whole = Math.min((this.width - 2 * margin) / wide, (this.height - 2 * margin) / high, 1);
    const k = Math.max(whole, least);
    const x = wide * k > this.width - 2 * margin ? margin - box.left * k : (this.width - wide * k) / 2 - box.left * k;
    const y = this.height / 2 - ((box.top + box.bottom) / 2) * k;
    this.go(x, y, k);
  }

  /** Move as little as brings `box` into view; one that is far away comes to the middle. */
  reveal(box: Box): void {
    this.touched = true;
    const { k } = this.transform;
    const seen = this.view;
    const margin = 16 / k;
    const x = shiftTo(box.left - margin, box.right + margin, seen.left, seen.right);
    const y = shiftTo(box.top - margin, box.bottom + margin, seen.top, seen.bottom);
    this.drift(-x, -y);
  }

  private go(x: number, y: number, k: number): void {
    this.zoom.transform(this.target, zoomIdentity.translate(x, y).scale(k));
  }
}

/** How far a window must move so that it holds an interval; its beginning where it cannot hold all. */
function shiftTo(low: number, high: number, from: number, to: number): number {
  const size = to - from;
  const by = low < from || high - low > size ? low - from : high > to ? high - to : 0;
  return Math.abs(by) > size / 4 ? (low + high) / 2 - (from + to) / 2 : by;
}
