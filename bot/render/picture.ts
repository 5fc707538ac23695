/**
 * A machine with the way of a request, as SVG: what the code does on the left, what p2pdma does on the right. Colours
 * come from classes, so a page may bring its own; {@link standalone} brings them along. Titles may be a stranger's.
 * Pure.
 *
 * @module
 */

import { callText } from "../../rules/model/operation.ts";
import { type Outcome, run } from "../../rules/model/outcome.ts";
import { hex } from "../../rules/model/range.ts";
import { type Device, type HostBridge, shortAddress } from "../../rules/model/topology.ts";
import { type Mood, naming } from "./machines.ts";
import { escapeMarkup } from "./markup.ts";
import { place, requiredText } from "./route_text.ts";
import { hang } from "./wrap.ts";

const BOX = { width: 132, height: 40 };
const GAP = { x: 30, y: 34 };
const PAD = 16;
const CAPTION = { line: 16 };
/** Characters of 12px text that surely fit into a panel of this width. */
const fit = (width: number) => Math.floor((width - 2 * PAD) / 6.7);

/** The colours of a picture on its own; a page defines the same names for its themes. */
export const PICTURE_STYLE = `
.pic { --bg: #ffffff; --ink: #1d2733; --dim: #5a6675; --line: #8593a3; --box: #f3f5f8; --bad: #b42318; --good: #12703e;
  --luck: #8a5a00; --asks: #dbe9ff; --wanted: #fff1cc; font-family: ui-sans-serif, system-ui, sans-serif; }
@media (prefers-color-scheme: dark) {
  .pic { --bg: #12171e; --ink: #e4e9f0; --dim: #a3afbd; --line: #6d7a89; --box: #1f2731; --bad: #ff8a80; --good: #6fdc9b;
    --luck: #f2c14e; --asks: #1d3557; --wanted: #4a3b12; }
}`;

/** How the classes of a picture look, whatever its colours. */
export const PICTURE_CLASSES = `
.pic .bg { fill: var(--bg); }
.pic text { fill: var(--ink); font-size: 12px; }
.pic .head { font-size: 14px; font-weight: 600; }
.pic .dim { fill: var(--dim); font-size: 11px; }
.pic .box { fill: var(--box); stroke: var(--line); }
.pic .asks { fill: var(--asks); }
.pic .wanted { fill: var(--wanted); }
.pic .link { stroke: var(--line); fill: none; }
.pic .way { fill: none; stroke-width: 2.5; stroke-linejoin: round; }
.pic .stop { stroke: var(--bg); stroke-width: 1.5; }
.pic .no { fill: var(--bg); font-size: 10px; font-weight: 700; text-anchor: middle; }
.pic .bad { --mood: var(--bad); }
.pic .luck { --mood: var(--luck); }
.pic .refused { --mood: var(--luck); }
.pic .good { --mood: var(--good); }
.pic .none { --mood: var(--dim); }
.pic .way { stroke: var(--mood); }
.pic .stop, .pic .tip, .pic text.mood { fill: var(--mood); }
.pic text.mood { font-weight: 600; }
.pic .mid { text-anchor: middle; }`;

/** A picture of its own: a whole SVG document. */
export function standalone(outcome: Outcome): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${
    picture(outcome, "p", PICTURE_STYLE + PICTURE_CLASSES)
  }\n`;
}

/**
 * The picture as an element for a page.
 *
 * @param id Unique in the page: labels hang on it
 * @param style A style sheet to put inside; "" when the page has it
 */
export function picture(outcome: Outcome, id: string, style = ""): string {
  const right = rightWay(outcome);
  const panels = right === null || outcome.operation.api === right.operation.api
    ? [outcome]
    : [outcome, right];
  const prepared = panels.map((each, i) => prepare(each, i === 0 ? title(each) : "with p2pdma"));
  // The machines stand at the same height, so that the ways can be compared.
  const shift = Math.max(...prepared.map(({ top }) => PAD + top.length * (CAPTION.line + 2))) + 22;
  const drawn = prepared.map((each) => draw(each, shift));
  const width = drawn.reduce((sum, { width }) => sum + width, 0) + PAD * (drawn.length - 1);
  const height = Math.max(...drawn.map(({ height }) => height));
  let x = 0;
  const placed = drawn.map((each) => {
    const at = `<g transform="translate(${x} 0)">${each.svg}</g>`;
    x += each.width + PAD;
    return at;
  });
  const words = panels.map((each) => `${title(each)}: ${naming(each).word}, ${each.result.text}`).join(". ");
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" class="pic" viewBox="0 0 ${width} ${height}" width="${width}" ` +
    `height="${height}" role="img" aria-labelledby="${id}-t ${id}-d">`,
    `<title id="${id}-t">${
      escapeMarkup(`The way of the request on ${outcome.fabric.topology.title}`)
    }</title>`,
    `<desc id="${id}-d">${escapeMarkup(words)}</desc>`,
    style === "" ? "" : `<style>${style}</style>`,
    `<rect class="bg" width="${width}" height="${height}"/>`,
    ...placed,
    "</svg>",
  ].filter((part) => part !== "").join("\n");
}

/** The same wish, asked of p2pdma; null for memory, which is not its business. */
export function rightWay(outcome: Outcome): Outcome | null {
  const { fabric, operation } = outcome;
  if (operation.target.kind === "ram") return null;
  return run(fabric, {
    ...operation,
    api: "pci_p2pdma_map_type",
    kernel: null,
    device: operation.client,
    given: "cpu",
  });
}

function title({ operation }: Outcome): string {
  return callText({ api: operation.api, target: operation.target.kind });
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly lines: readonly string[];
  readonly css: string;
}

interface Drawn {
  readonly svg: string;
  readonly width: number;
  readonly height: number;
}

type Line = readonly [css: string, text: string];

/** One machine with one way, laid out. */
interface Prepared {
  readonly outcome: Outcome;
  readonly plan: Plan;
  readonly width: number;
  readonly top: readonly Line[];
  readonly bottom: readonly Line[];
}

function prepare(outcome: Outcome, label: string): Prepared {
  const { result, yields, required } = outcome;
  const plan = new Plan(outcome);
  const width = Math.max(plan.width, 340);
  const chars = fit(width);
  const lines = (css: string, text: string, room = chars) =>
    hang(text, room).map((line): Line => [css, line]);
  const emitted = yields.kind === "emitted" ? `emits ${hex(yields.address)}` : "emits nothing";
  return {
    outcome,
    plan,
    width,
    // Headings are bold and larger.
    top: [...lines("head", label, Math.floor(chars * 0.75)), ...lines("", emitted)],
    bottom: [
      ...lines("mood", `${naming(outcome).word}: ${result.text}`, Math.floor(chars * 0.9)),
      ...lines("dim", `needed: ${requiredText(required)}`),
    ],
  };
}

function draw({ outcome, plan, width, top, bottom }: Prepared, shift: number): Drawn {
  const { route, result } = outcome;
  const { mood } = naming(outcome);
  const end = shift + plan.height + 18;
  const words = (lines: readonly Line[], from: number, step: number) =>
    lines.map(([css, text], i) =>
      `<text${css === "" ? "" : ` class="${css}"`} x="${PAD}" y="${from + i * step}">${
        escapeMarkup(text)
      }</text>`
    );
  return {
    width,
    height: end + bottom.length * CAPTION.line + PAD,
    svg: [
      `<g class="${mood}">`,
      ...words(top, PAD + 10, CAPTION.line + 2),
      `<g transform="translate(${(width - plan.width) / 2} ${shift})">`,
      ...plan.links.map(([from, to]) => link(plan.boxes.get(from)!, plan.boxes.get(to)!)),
      ...[...plan.boxes.values()].map(box),
      ...(route === null ? [] : way(route.hops.map(({ at }) => at), plan, mood, result.kind)),
      "</g>",
      ...words(bottom, end + 8, CAPTION.line),
      "</g>",
    ].join("\n"),
  };
}

/** Where everything stands: the root complex on top, endpoints below. */
class Plan {
  readonly boxes = new Map<string, Box>();
  readonly links: (readonly [from: string, to: string])[] = [];
  readonly width: number;
  readonly height: number;
  private right = PAD;
  private bottom = 0;

  constructor(private readonly outcome: Outcome) {
    const { fabric, operation, route } = outcome;
    const stops = new Set([...(route?.hops ?? []).map(({ at }) => at), operation.client.device.address]);
    if (operation.target.kind === "bar") stops.add(operation.target.provider.device.address);
    const shows = (device: Device): boolean =>
      stops.has(device.address) || (device.kind !== "endpoint" && device.below.some(shows));
    for (const host of fabric.topology.hostBridges) {
      if (!host.below.some(shows) && !stops.has(`host ${host.address}`)) continue;
      const centres = host.below.filter(shows).map((device) => this.device(device, 2, shows));
      this.put(`host ${host.address}`, middle(centres) ?? this.leaf(), 1, hostLines(host), "");
      for (const device of host.below.filter(shows)) this.link(`host ${host.address}`, device.address);
    }
    if (operation.client.device.iommu !== "none") {
      const own = this.boxes.get(`host ${operation.client.host.address}`)!;
      this.put("iommu", own.x, 0, ["IOMMU", operation.client.device.iommu], "");
      this.link("iommu", `host ${operation.client.host.address}`);
    }
    if (stops.has("ram") || operation.target.kind === "ram") {
      this.put("ram", this.leaf(), 0, ["RAM"], operation.target.kind === "ram" ? "wanted" : "");
      this.link("ram", `host ${operation.client.host.address}`);
    }
    this.width = this.right + PAD - GAP.x;
    this.height = this.bottom;
  }

  private device(device: Device, row: number, shows: (device: Device) => boolean): number {
    const below = device.kind === "endpoint" ? [] : device.below.filter(shows);
    const centres = below.map((each) => this.device(each, row + 1, shows));
    const x = middle(centres) ?? this.leaf();
    this.put(device.address, x, row, deviceLines(device), this.role(device));
    for (const each of below) this.link(device.address, each.address);
    return x;
  }

  private role(device: Device): string {
    const { client, target } = this.outcome.operation;
    if (device === client.device) return "asks";
    return target.kind === "bar" && device === target.provider.device ? "wanted" : "";
  }

  private leaf(): number {
    const x = this.right + BOX.width / 2;
    this.right += BOX.width + GAP.x;
    return x;
  }

  private put(key: string, x: number, row: number, lines: readonly string[], css: string): void {
    // Row 0 is only for the IOMMU and RAM.
    const hasTop = this.outcome.operation.client.device.iommu !== "none" ||
      this.outcome.operation.target.kind === "ram" || this.outcome.route?.end.kind === "ram";
    const y = (hasTop ? row : row - 1) * (BOX.height + GAP.y);
    this.boxes.set(key, { x, y, lines, css });
    this.bottom = Math.max(this.bottom, y + BOX.height);
  }

  private link(from: string, to: string): void {
    this.links.push([from, to]);
  }
}

function middle(centres: readonly number[]): number | null {
  return centres.length === 0 ? null : (centres[0]! + centres.at(-1)!) / 2;
}

function hostLines({ address, id, windows }: HostBridge): string[] {
  const isShifted = windows.some(({ cpu, bus }) => cpu !== bus);
  return ["host bridge", `${address}${isShifted ? ", bus offset" : id === null ? "" : `, ${id}`}`];
}

const KIND = { "root-port": "root port", upstream: "switch", downstream: "port" } as const;

function deviceLines(device: Device): string[] {
  const acs = device.acs.length === 0 ? "" : ` ACS ${device.acs.join(" ")}`;
  return device.kind === "endpoint"
    ? [device.title, shortAddress(device.address) + acs]
    : [KIND[device.kind], shortAddress(device.address) + acs];
}

function box({ x, y, lines, css }: Box): string {
  const room = Math.floor((BOX.width - 8) / 6.4);
  const rows = lines.map((text, i) =>
    `<text class="mid${i === 0 ? "" : " dim"}" x="${x}" y="${y + 17 + i * 14}">${
      escapeMarkup(shorten(text, room))
    }</text>`
  );
  return `<rect class="box${css === "" ? "" : ` ${css}`}" x="${
    x - BOX.width / 2
  }" y="${y}" width="${BOX.width}" ` +
    `height="${BOX.height}" rx="5"/>${rows.join("")}`;
}

/** Cut by code points: half a character would be an invalid document. */
function shorten(text: string, room: number): string {
  const signs = [...text];
  return signs.length <= room ? text : `${signs.slice(0, room - 1).join("")}…`;
}

function link(from: Box, to: Box): string {
  const half = (from.y + BOX.height + to.y) / 2;
  return `<path class="link" d="M${from.x} ${from.y + BOX.height}V${half}H${to.x}V${to.y}"/>`;
}

/** How far above a box the way turns. */
const ARC = 12;

/**
 * The way from stop to stop, with the stops numbered: up along the left edges of the boxes, over the highest one, down
 * along the right edges.
 */
function way(stops: readonly string[], plan: Plan, mood: Mood, result: string): string[] {
  const boxes = stops.map((at) => plan.boxes.get(at)!);
  const top = Math.min(...boxes.map(({ y }) => y));
  const turn = boxes.findIndex(({ y }) => y === top);
  const points = boxes.map(({ x, y }, i) => ({
    x: x + (i <= turn ? -1 : 1) * BOX.width / 2,
    y: y + BOX.height / 2,
  }));
  const steps = points.map(({ x, y }, i) => {
    const before = points[i - 1];
    if (before === undefined) return `M${x} ${y}`;
    if (i === turn + 1) return `V${top - ARC}H${x}V${y}`;
    // Along the gap between two rows of boxes, so that no box is crossed.
    const low = Math.max(before.y, y) - BOX.height / 2;
    return `V${low - (i <= turn ? GAP.y / 2 : ARC)}H${x}V${y}`;
  });
  const dashes = result === "reaches" ? "" : ' stroke-dasharray="7 4"';
  const out = [`<path class="way ${mood}" d="${steps.join("")}"${dashes}/>`];
  for (const [i, { x, y }] of points.entries()) {
    const name = escapeMarkup(`${i + 1}: ${place(stops[i]!)}`);
    out.push(
      `<circle class="stop" cx="${x}" cy="${y}" r="9"><title>${name}</title></circle>`,
      `<text class="no" x="${x}" y="${y + 3.5}">${i + 1}</text>`,
    );
  }
  const last = points.at(-1)!;
  // A cross where the request is lost.
  if (result === "aborts" || result === "unknown") {
    out.push(`<path class="way" d="M${last.x - 6} ${last.y - 26}l12 12m0 -12l-12 12"/>`);
  }
  return out;
}
