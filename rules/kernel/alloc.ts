/**
 * The functions that give memory: together with its DMA address (they have a family and an undo list), or
 * without one (no family: a rule about leaked mappings has no business with kmalloc()). Facts only.
 *
 * @module
 */

import { row } from "./row.ts";
import type { Api, Meaning, Version } from "./types.ts";

const DMA = "include/linux/dma-mapping.h";
const ATTRS = "kernel/dma/mapping.c dma_alloc_attrs()";
const POOL = "include/linux/dmapool.h, mm/dmapool.c";
const GENPOOL = "include/linux/genalloc.h";
const USB = "include/linux/usb.h, drivers/usb/core/buffer.c";
const SLAB = "include/linux/slab.h";
const VMALLOC = "include/linux/vmalloc.h";
const KVMALLOC = "include/linux/slab.h: kmalloc() first, vmalloc() when that fails; may be either";
const GFP = "include/linux/gfp.h";
const DEVM = "include/linux/device/devres.h";

const V5_0: Version = [5, 0];
const V5_10: Version = [5, 10];
const V5_13: Version = [5, 13];

/** dma_alloc_*(dev, size, &handle, …) */
function coherent(name: string, params: readonly Meaning[], undo: readonly string[], source: string): Api {
  return row({
    name,
    role: "alloc",
    params,
    returns: "kva-coherent",
    handle: 2,
    failure: "null",
    families: ["coherent"],
    undo,
    source,
  });
}

/** dma_free_*(dev, size, memory, handle, …) */
function freed(name: string, params: readonly Meaning[], families: Api["families"], source: string): Api {
  return row({ name, role: "free", params, handle: 3, memory: 2, families, source });
}

const COHERENT: readonly Api[] = [
  coherent(
    "dma_alloc_coherent",
    ["device", "size", "dma", "gfp"],
    ["dma_free_coherent", "dma_free_attrs"],
    DMA,
  ),
  coherent(
    "dma_alloc_attrs",
    ["device", "size", "dma", "gfp", "attrs"],
    ["dma_free_attrs", "dma_free_coherent", "dma_free_wc"],
    ATTRS,
  ),
  {
    ...coherent(
      "dma_zalloc_coherent",
      ["device", "size", "dma", "gfp"],
      ["dma_free_coherent", "dma_free_attrs"],
      "removed by the merge of remove-dma_zalloc_coherent-5.0 (66c56cfa64d9); dma_alloc_coherent() zeroes",
    ),
    removed: V5_0,
  },
  {
    ...coherent("dma_alloc_wc", ["device", "size", "dma", "gfp"], ["dma_free_wc", "dma_free_attrs"], DMA),
    families: ["wc"],
  },
  {
    ...coherent("dmam_alloc_coherent", ["device", "size", "dma", "gfp"], ["dmam_free_coherent"], DMA),
    families: ["managed"],
  },
  {
    ...coherent("dmam_alloc_attrs", ["device", "size", "dma", "gfp", "attrs"], ["dmam_free_coherent"], DMA),
    families: ["managed"],
  },
  freed("dma_free_coherent", ["device", "size", "kva-coherent", "dma"], ["coherent"], DMA),
  freed("dma_free_attrs", ["device", "size", "kva-coherent", "dma", "attrs"], ["coherent", "wc"], DMA),
  // It is dma_free_attrs(…, DMA_ATTR_WRITE_COMBINE), the right one for dma_alloc_attrs() with that attribute.
  freed("dma_free_wc", ["device", "size", "kva-coherent", "dma"], ["wc", "coherent"], DMA),
  freed("dmam_free_coherent", ["device", "size", "kva-coherent", "dma"], ["managed"], DMA),
];

const PAGES: readonly Api[] = [
  row({
    name: "dma_alloc_noncoherent",
    role: "alloc",
    params: ["device", "size", "dma", "direction", "gfp"],
    returns: "kva",
    handle: 2,
    failure: "null",
    families: ["noncoherent"],
    undo: ["dma_free_noncoherent"],
    since: V5_10,
    source: DMA,
  }),
  row({
    name: "dma_free_noncoherent",
    role: "free",
    params: ["device", "size", "kva", "dma", "direction"],
    handle: 3,
    memory: 2,
    families: ["noncoherent"],
    since: V5_10,
    source: DMA,
  }),
  row({
    name: "dma_alloc_pages",
    role: "alloc",
    params: ["device", "size", "dma", "direction", "gfp"],
    returns: "page",
    handle: 2,
    failure: "null",
    families: ["pages"],
    undo: ["dma_free_pages"],
    since: V5_10,
    source: DMA,
  }),
  row({
    name: "dma_free_pages",
    role: "free",
    params: ["device", "size", "page", "dma", "direction"],
    handle: 3,
    memory: 2,
    families: ["pages"],
    since: V5_10,
    source: DMA,
  }),
  row({
    name: "dma_alloc_noncontiguous",
    role: "alloc",
    params: ["device", "size", "direction", "gfp", "attrs"],
    returns: "sgt",
    handle: "return",
    failure: "null",
    families: ["noncontiguous"],
    undo: ["dma_free_noncontiguous"],
    since: V5_13,
    source: DMA,
  }),
  row({
    name: "dma_free_noncontiguous",
    role: "free",
    params: ["device", "size", "sgt", "direction"],
    handle: 2,
    memory: 2,
    families: ["noncontiguous"],
    since: V5_13,
    source: DMA,
  }),
  row({
    name: "dma_vmap_noncontiguous",
    role: "convert",
    params: ["device", "size", "sgt"],
    returns: "kva-vmalloc",
    memory: 2,
    failure: "null",
    since: V5_13,
    source: DMA,
  }),
];

const POOLS: readonly Api[] = [
  ...["dma_pool_create", "dmam_pool_create"].map((name) =>
    row({
      name,
      role: "convert",
      params: ["none", "device", "size"],
      returns: "pool",
      failure: "null",
      source: POOL,
    })
  ),
  ...["dma_pool_alloc", "dma_pool_zalloc"].map((name) =>
    row({
      name,
      role: "alloc",
      params: ["pool", "gfp", "dma"],
      returns: "kva-coherent",
      handle: 2,
      failure: "null",
      families: ["pool"],
      undo: ["dma_pool_free"],
      source: POOL,
    })
  ),
  row({
    name: "dma_pool_free",
    role: "free",
    params: ["pool", "kva-coherent", "dma"],
    handle: 2,
    memory: 1,
    families: ["pool"],
    source: POOL,
  }),
  // On-chip memory: the address comes from gen_pool_virt_to_phys(), no DMA mapping is made or undone.
  ...["gen_pool_dma_alloc", "gen_pool_dma_zalloc"].map((name) =>
    row({
      name,
      role: "alloc",
      params: ["none", "size", "dma"],
      returns: "kva-coherent",
      handle: 2,
      failure: "null",
      source: GENPOOL,
    })
  ),
  row({
    name: "usb_alloc_coherent",
    role: "alloc",
    params: ["none", "size", "gfp", "dma"],
    returns: "kva-coherent",
    handle: 3,
    failure: "null",
    families: ["coherent"],
    undo: ["usb_free_coherent"],
    source: USB,
  }),
  freed("usb_free_coherent", ["none", "size", "kva-coherent", "dma"], ["coherent"], USB),
];

/** Memory without a DMA address. */
function memory(
  names: readonly string[],
  params: readonly Meaning[],
  returns: Meaning,
  source: string,
): Api[] {
  return names.map((name) => row({ name, role: "alloc", params, returns, failure: "null", source }));
}

const LINEAR: readonly Api[] = [
  ...memory(["kmalloc", "kzalloc", "kmalloc_node", "kzalloc_node"], ["size", "gfp"], "kva", SLAB),
  ...memory(
    ["kcalloc", "kmalloc_array", "kcalloc_node", "kmalloc_array_node"],
    ["none", "size", "gfp"],
    "kva",
    SLAB,
  ),
  ...memory(["krealloc"], ["kva", "size", "gfp"], "kva", SLAB),
  // Type-based: the first argument is an object or a type, not a number of bytes.
  ...memory(
    ["kmalloc_obj", "kzalloc_obj", "kmalloc_objs", "kzalloc_objs", "kmalloc_flex", "kzalloc_flex"],
    ["none"],
    "kva",
    SLAB,
  ),
  ...memory(["kmemdup"], ["none", "size", "gfp"], "kva", "include/linux/string.h"),
  ...memory(["kmem_cache_alloc", "kmem_cache_zalloc"], ["none", "gfp"], "kva", SLAB),
  ...memory(["devm_kmalloc", "devm_kzalloc"], ["device", "size", "gfp"], "kva", DEVM),
  ...memory(["devm_kcalloc", "devm_kmalloc_array"], ["device", "none", "size", "gfp"], "kva", DEVM),
  ...memory(["devm_kmemdup"], ["device", "none", "size", "gfp"], "kva", DEVM),
  ...memory(["__get_free_page", "get_zeroed_page"], ["gfp"], "kva", GFP).map((api) => ({
    ...api,
    failure: "zero" as const,
  })),
  ...memory(["__get_free_pages"], ["gfp", "none"], "kva", GFP).map((api) => ({
    ...api,
    failure: "zero" as const,
  })),
  ...memory(["devm_get_free_pages"], ["device", "gfp", "none"], "kva", DEVM).map((api) => ({
    ...api,
    failure: "zero" as const,
  })),
  ...memory(["alloc_pages_exact"], ["size", "gfp"], "kva", GFP),
  ...memory(["netdev_alloc_frag", "napi_alloc_frag"], ["size"], "kva", "include/linux/skbuff.h"),
];

const VIRTUAL: readonly Api[] = [
  ...memory(
    ["vmalloc", "vzalloc", "vmalloc_user", "vmalloc_32", "vmalloc_32_user", "vmalloc_huge", "__vmalloc"],
    ["size"],
    "kva-vmalloc",
    VMALLOC,
  ),
  ...memory(["vmalloc_node", "vzalloc_node"], ["size", "none"], "kva-vmalloc", VMALLOC),
  ...memory(["vmalloc_array", "vcalloc"], ["none", "size"], "kva-vmalloc", VMALLOC),
  ...memory(["vmap", "vm_map_ram"], ["none", "none"], "kva-vmalloc", VMALLOC),
  ...memory(
    ["kvmalloc", "kvzalloc", "kvmalloc_node", "kvzalloc_node"],
    ["size", "gfp"],
    "kva-vmalloc",
    KVMALLOC,
  ),
  ...memory(["kvcalloc", "kvmalloc_array"], ["none", "size", "gfp"], "kva-vmalloc", KVMALLOC),
  ...memory(["kvmemdup"], ["none", "size", "gfp"], "kva-vmalloc", KVMALLOC),
];

const PAGE: readonly Api[] = [
  ...memory(["alloc_page"], ["gfp"], "page", GFP),
  ...memory(["alloc_pages"], ["gfp", "none"], "page", GFP),
  ...memory(["alloc_pages_node"], ["none", "gfp", "none"], "page", GFP),
  ...memory(["dev_alloc_page"], [], "page", "include/linux/skbuff.h"),
  ...memory(["dev_alloc_pages"], ["none"], "page", "include/linux/skbuff.h"),
  ...memory(["page_pool_dev_alloc_pages"], ["none"], "page", "include/net/page_pool/helpers.h"),
  ...memory(["page_pool_alloc_pages"], ["none", "gfp"], "page", "include/net/page_pool/types.h"),
];

/** Rows of `ALLOC` whose memory lies in the linear map more often than not, though it may be vmalloc space. */
export const MAY_BE_LINEAR: readonly string[] = VIRTUAL
  .filter((api) => api.source === KVMALLOC)
  .map((api) => api.name);

/** Every function of this file. */
export const ALLOC: readonly Api[] = [...COHERENT, ...PAGES, ...POOLS, ...LINEAR, ...VIRTUAL, ...PAGE];
