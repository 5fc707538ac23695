/**
 * Puts an origin into words: the links of the chain of evidence, from where an address was made to where it stands.
 *
 * @module
 */

import type { At } from "../engine/ast.ts";
import type { SourceFile } from "../engine/source.ts";
import type { Origin } from "./origin.ts";

/** One link of the chain. */
export interface Link {
  readonly file: SourceFile;
  readonly at: At;
  readonly note: string;
}

/** What each kind of value is called in a message. */
export const SPOKEN: Readonly<Record<string, string>> = {
  "kva": "kernel virtual address",
  "kva-coherent": "CPU address of a coherent DMA buffer",
  "kva-vmalloc": "vmalloc address",
  "kva-stack": "address on the stack",
  "kva-p2p": "CPU address of P2P memory",
  "iomem": "ioremap()ed pointer",
  "phys": "CPU physical address",
  "phys-ram": "CPU physical address of RAM",
  "phys-mmio": "CPU physical address of a platform resource",
  "phys-bar": "CPU physical address of a PCI BAR",
  "pci-bus": "PCI bus address",
  "bus-offset": "offset between PCI bus and CPU physical addresses",
  "dma": "DMA address",
  "iova": "I/O virtual address",
  "dt-cell": "raw cell of the device tree, an address of the parent bus",
  "pfn": "page frame number",
  "sgt-dmabuf": "table of a dma-buf, mapped by its exporter",
};

/** What an origin is, in a few words: "CPU physical address of a BAR of `pdev`". */
export function describe(origin: Origin): string {
  const what = SPOKEN[origin.meaning] ?? origin.meaning;
  if (origin.certainty === "name") return `by its name the ${what}`;
  if (origin.certainty === "declared") return `declared \`${origin.api}\`: a ${what}`;
  const owner = ownerText(origin);
  if (origin.meaning === "phys-bar" && owner !== null) return `CPU physical address of a BAR of \`${owner}\``;
  if (origin.meaning === "pci-bus" && owner !== null) return `PCI bus address of a BAR of \`${owner}\``;
  if (origin.meaning === "dma" && origin.device !== null) {
    return `DMA address, valid for \`${origin.device}\` only`;
  }
  return what;
}

/** The BAR's device in the author's words; null when it is not known. */
export function ownerText(origin: Origin): string | null {
  if (origin.owner === null) return null;
  const { expr, file } = origin;
  return expr.kind === "call" && expr.args[0] !== undefined && !origin.viaField
    ? file.textOf(expr.args[0])
    : origin.owner;
}

/** The chain from the source of a value to its last step; `x = source()` is one link, not two. */
export function chain(origin: Origin): Link[] {
  const links: Link[] = [{ file: origin.file, at: origin.expr, note: describe(origin) }];
  for (const step of origin.steps) {
    const last = links.at(-1)!;
    const isSameLine = step.file === last.file &&
      step.file.lineAt(step.at.start) === last.file.lineAt(last.at.start);
    if (isSameLine) links[links.length - 1] = { ...last, note: `${last.note}, ${step.note}` };
    else links.push(step);
  }
  return links;
}
