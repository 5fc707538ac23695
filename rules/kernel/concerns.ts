/**
 * Whether code is any of our business: a cheap look at its identifiers before anything is parsed.
 *
 * @module
 */

import { LOCKING } from "./dmabuf.ts";
import { DIRECTIONS, LIST_FILLERS } from "./names.ts";
import type { Api, Gone, Meaning } from "./types.ts";

/** An identifier that drivers must not use; a trailing `*` stands for any ending. */
interface Internal {
  readonly name: string;
}

const ROLES: ReadonlySet<Api["role"]> = new Set([
  "map",
  "unmap",
  "free",
  "sync",
  "check",
  "distance",
  "mask",
]);
const ADDRESSES: ReadonlySet<Meaning> = new Set([
  "phys",
  "phys-ram",
  "phys-mmio",
  "phys-bar",
  "pci-bus",
  "bus-offset",
  "dma",
  "iova",
  "dt-cell",
  "pfn",
]);
/** Types that hold an address, or say whose device it is for: code with them may be wrong without any call. */
const TYPES = [
  "dma_buf",
  "dma_buf_attachment",
  "dma_addr_t",
  "phys_addr_t",
  "resource_size_t",
  "pci_bus_addr_t",
];
/** The dma-buf API, and what hands out a domain. */
const OBJECTS = [...LOCKING.map(({ name }) => name), "dma_buf_ops", "iommu_get_domain_for_dev"];
/** What puts DMA segments into a memory region of RDMA. */
const REGIONS = ["ib_map_mr_sg", "ib_map_mr_sg_zbva"];
/** What reads the DMA side of a scatterlist entry and is no address. */
const LENGTHS = ["sg_dma_len"];
/** Members of struct device that say what it can address, and the addresses of a struct dma_slave_config. */
const MEMBERS = ["dma_mask", "coherent_dma_mask", "src_addr", "dst_addr"];
/** What stands in all names of peer-to-peer DMA, attributes, and the namespace of the dma-buf symbols. */
const STEMS = [
  "resource[",
  "%pa",
  "p2pdma",
  "p2pmem",
  "P2PDMA",
  "DMA_ATTR_",
  "MODULE_IMPORT_NS(DMA_BUF",
  'MODULE_IMPORT_NS("DMA_BUF',
];
const IDENTIFIER = /[A-Za-z_]\w+/g;

/**
 * Builds the question. A function is of interest when it maps, releases, checks, syncs or converts an address, tells a
 * helper the direction of a mapping, asks p2pdma, sets a mask, declares or prints an address, or uses a name that is
 * gone or internal. Code that merely allocates, talks to registers or has `dma` in its own names is not.
 *
 * @param words Substrings of which any such code holds at least one: most code is turned away without a closer look
 */
export function createConcerns(
  words: readonly string[],
  api: Iterable<Api>,
  gone: Iterable<Gone>,
  internal: Iterable<Internal>,
): (code: string) => boolean {
  const names = new Set<string>([
    ...TYPES,
    ...OBJECTS,
    ...LIST_FILLERS.keys(),
    ...LENGTHS,
    ...REGIONS,
    ...MEMBERS,
    ...DIRECTIONS.map(({ name }) => name),
  ]);
  const stems: string[] = [...STEMS];
  for (const row of api) {
    if (
      ROLES.has(row.role) || (row.role === "alloc" && row.families.length > 0) ||
      ((row.role === "convert" || row.role === "cpu-use") &&
        [row.returns, ...row.params].some((m) => ADDRESSES.has(m)))
    ) names.add(row.name);
  }
  for (const row of gone) names.add(row.name);
  for (const { name } of internal) {
    // An include is no identifier: `linux/dma-direct.h`.
    if (/^\w+$/.test(name)) names.add(name);
    else stems.push(name.replace(/\*$/, "").replace(/^[<"]|[>"]$/g, ""));
  }
  const anyWord = anyOf(words);
  const anyStem = anyOf(stems);
  return (code) => {
    if (!anyWord.test(code)) return false;
    if (anyStem.test(code)) return true;
    for (const [name] of code.matchAll(IDENTIFIER)) if (names.has(name)) return true;
    return false;
  };
}

/**
 * Of the code that is of interest, that of which one of the rules may have something to say.
 *
 * @param words For each rule the texts of which such code holds one; undefined where that cannot be said
 */
export function narrowed(
  concerns: (code: string) => boolean,
  words: readonly (readonly string[] | undefined)[],
): (code: string) => boolean {
  if (words.includes(undefined)) return concerns;
  const any = anyOf(words.flatMap((some) => some ?? []));
  return (code) => any.test(code) && concerns(code);
}

/** Matches where one of the texts stands; one pass, however many there are. */
const anyOf = (texts: readonly string[]) =>
  new RegExp(texts.map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|"));
