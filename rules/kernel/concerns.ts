/**
 * Whether code is any of our business: a cheap look at its identifiers before anything is parsed.
 *
 * @module
 */

import { LOCKING } from "./dmabuf.ts";
import { DIRECTIONS, LIST_FILLERS } from "./names.ts";
import type { Api, Gone, Interest, Meaning } from "./types.ts";

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
  const anyWord = new RegExp(anyOf(words), "g");
  const anyStem = new RegExp(anyOf(stems));
  // Most names hold a word: only the identifiers around the words need a closer look.
  const plain = [...names].filter((name) => !words.some((word) => name.includes(word)));
  const anyPlain = new RegExp(`\\b(?:${anyOf(plain)})\\b`);
  return (code) => {
    anyWord.lastIndex = 0;
    let found = anyWord.exec(code);
    if (found === null) return false;
    for (; found !== null; found = anyWord.exec(code)) {
      const end = endOfIdentifier(code, found.index);
      if (names.has(code.slice(startOfIdentifier(code, found.index), end))) return true;
      anyWord.lastIndex = Math.max(end, found.index + 1);
    }
    return anyStem.test(code) || anyPlain.test(code);
  };
}

const isWord = (code: string, at: number) => /\w/.test(code[at] ?? "");

function startOfIdentifier(code: string, at: number): number {
  while (at > 0 && isWord(code, at - 1)) at--;
  return at;
}

function endOfIdentifier(code: string, at: number): number {
  while (isWord(code, at)) at++;
  return at;
}

/**
 * Of the code that is of interest, that of which one of the rules may have something to say.
 *
 * @param words For each rule the texts of which such code holds one; undefined where that cannot be said
 */
export function narrowed(
  concerns: (code: string) => boolean,
  words: readonly (readonly string[] | undefined)[],
): Interest {
  if (words.includes(undefined)) return { direct: concerns, caller: concerns };
  const any = new RegExp(anyOf(words.flatMap((some) => some ?? [])));
  return { direct: (code) => any.test(code) && concerns(code), caller: concerns };
}

/** The pattern of a text that is one of these: one pass, however many there are. */
const anyOf = (texts: readonly string[]) => texts.map((text) => RegExp.escape(text)).join("|");
