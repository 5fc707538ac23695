import { deepEqual, equal, ok } from "node:assert/strict";
import {
  API,
  ATTRIBUTES,
  BACKPORTED,
  BAR_NAME,
  concerns,
  CONTAINERS,
  DEVICE_CALLS,
  DEVICE_MEMBERS,
  DIRECTIONS,
  DMA_BUF_SYMBOLS,
  FIELDS,
  FORMATS,
  GONE,
  IMPLEMENTATION_PATHS,
  INTERNAL,
  isUnder,
  ITERATORS,
  LOCKED_CALLBACKS,
  LOCKING,
  MAY_BE_LINEAR,
  PASSES,
  PCI_DIRECTIONS,
  RESOURCE_STARTS,
  SINCE,
  STORES,
  TEST_FILE,
  TRANSFER_DIRECTIONS,
  TRANSFER_PARAMETERS,
  TRANSPARENT,
  WORDS,
} from "../rules/kernel/mod.ts";
import type { Api, Meaning, Version } from "../rules/kernel/mod.ts";

const ROWS = [...API.values()];

/** Whether the first release comes after the second. */
function later(a: Version, b: Version): boolean {
  return a[0] > b[0] || (a[0] === b[0] && a[1] > b[1]);
}

/** The row, or a failed test. */
function api(name: string): Api {
  const row = API.get(name);
  ok(row, `no row for ${name}`);
  return row;
}

Deno.test("API keeps every position inside the parameter list", () => {
  for (const row of ROWS) {
    const { device, handle, memory, size, direction, attrs, nents } = row;
    for (const at of [device, handle, memory, size, direction, attrs, nents]) {
      if (at === null || at === "return") continue;
      ok(at >= 0 && at < row.params.length, `${row.name}: position ${at}`);
    }
  }
});

Deno.test("API gives positions the meaning they are for", () => {
  const devices: readonly Meaning[] = ["device", "pci-dev", "ib-device", "attachment", "dma-chan"];
  for (const row of ROWS) {
    const meaning = (at: number | null) => at === null ? undefined : row.params[at];
    if (row.device !== null) ok(devices.includes(meaning(row.device) ?? "none"), `${row.name}: device`);
    if (row.size !== null) equal(meaning(row.size), "size", row.name);
    if (row.direction !== null) equal(meaning(row.direction), "direction", row.name);
    if (row.attrs !== null) equal(meaning(row.attrs), "attrs", row.name);
    if (row.nents !== null) ok(meaning(row.nents)?.startsWith("nents"), row.name);
  }
});

Deno.test("API has every undo function as a row that accepts the family", () => {
  for (const row of ROWS) {
    for (const name of row.undo) {
      const undo = api(name);
      ok(undo.role === "unmap" || undo.role === "free", `${row.name}: ${name} undoes nothing`);
      for (const family of row.families) {
        ok(undo.families.includes(family), `${row.name}: ${name}, ${family}`);
      }
    }
  }
});

Deno.test("API says how to undo each mapping, a bus address excepted", () => {
  for (const row of ROWS) {
    if (row.role !== "map" && row.role !== "alloc") continue;
    const needs = row.families.length > 0 && !row.families.includes("p2p-bus");
    equal(row.undo.length > 0, needs, row.name);
  }
});

Deno.test("API rows cite a source and are removed after they came", () => {
  for (const row of ROWS) {
    ok(row.source.trim().length > 0, row.name);
    if (row.since && row.removed) ok(later(row.removed, row.since), row.name);
  }
});

Deno.test("API says how a mapping fails and a dma_addr_t result can only be asked", () => {
  for (const row of ROWS) {
    if (row.role === "map" && row.returns === "dma") equal(row.failure, "mapping-error", row.name);
    if (row.role === "map" && row.returns !== "pci-bus") ok(row.failure !== "never", row.name);
  }
});

Deno.test("API of an ib_dma_ function has the positions of the dma_ function it wraps", () => {
  for (const row of ROWS) {
    if (!row.name.startsWith("ib_dma_") || row.name.includes("p2p")) continue;
    const wrapped = API.get(row.name.replace(/^ib_/, "").replace(/_sgtable_attrs$/, "_sgtable"));
    if (!wrapped || row.name.endsWith("bvec")) continue;
    deepEqual(row.params.slice(1), wrapped.params.slice(1), row.name);
    equal(row.failure, wrapped.failure, row.name);
    deepEqual(row.families.every((family) => wrapped.families.includes(family)), true, row.name);
  }
});

Deno.test("API knows the argument orders that people get wrong", () => {
  const at = (name: string) => {
    const { device, handle, memory, size, direction } = api(name);
    return [device, handle, memory, size, direction];
  };
  deepEqual(at("dma_map_single"), [0, "return", 1, 2, 3]);
  deepEqual(at("dma_map_page"), [0, "return", 1, 3, 4]);
  deepEqual(at("dma_map_resource"), [0, "return", 1, 2, 3]);
  deepEqual(at("dma_map_sgtable"), [0, 1, 1, null, 2]);
  deepEqual(at("dma_alloc_coherent"), [0, 2, null, 1, null]);
  deepEqual(at("dma_free_coherent"), [0, 3, 2, 1, null]);
  deepEqual(at("dma_pool_free"), [null, 2, 1, null, null]);
  deepEqual(at("dma_iova_link"), [0, 1, 2, 4, 5]);
  deepEqual(at("iommu_map"), [null, 1, 2, 3, null]);
  deepEqual(at("dma_buf_phys_vec_to_sgt"), [0, "return", 2, 4, 5]);
  equal(api("pci_p2pdma_distance").device, 1);
  equal(api("pci_p2pdma_map_type").device, 1);
  equal(api("writel").memory, 0);
  equal(api("out_be32").memory, 1);
});

Deno.test("API tells the kinds of address apart", () => {
  equal(api("pci_resource_start").returns, "phys-bar");
  equal(api("pci_bus_address").returns, "pci-bus");
  equal(api("virt_to_phys").returns, "phys-ram");
  equal(api("sg_dma_address").returns, "dma");
  equal(api("ioremap").returns, "iomem");
  equal(api("kvmalloc").returns, "kva-vmalloc");
  ok(MAY_BE_LINEAR.includes("kvmalloc") && !MAY_BE_LINEAR.includes("vmalloc"));
});

Deno.test("GONE agrees with the removed rows of API", () => {
  for (const row of ROWS) {
    if (row.removed) deepEqual(GONE.get(row.name)?.removed, row.removed, row.name);
  }
  for (const row of GONE.values()) {
    ok(row.source.trim() && row.replacement.trim(), row.name);
    deepEqual(API.get(row.name)?.removed ?? row.removed, row.removed, row.name);
  }
});

Deno.test("SINCE says nothing that another table says otherwise, and what is in it is read", () => {
  for (const row of SINCE.values()) {
    ok(row.source.trim(), row.name);
    ok(!API.has(row.name), `${row.name}: the API table says it`);
    const removed = GONE.get(row.name)?.removed;
    if (removed) ok(later(removed, row.since), row.name);
    const attribute = ATTRIBUTES.find(({ name }) => name === row.name);
    if (attribute?.since) deepEqual(row.since, attribute.since, row.name);
    ok(concerns(`x = ${row.name};`) || row.kind === "field" || row.kind === "type", row.name);
  }
  for (const [name, version] of BACKPORTED) {
    const since = API.get(name)?.since;
    if (since) ok(later(since, version), name);
  }
  for (const name of DMA_BUF_SYMBOLS) ok(name.startsWith("dma_buf_"), name);
});

Deno.test("GONE replacements of pci-dma-compat.h are functions of the tables", () => {
  for (const row of GONE.values()) {
    const name = /^(dma_\w+)\(&pdev->dev/.exec(row.replacement)?.[1];
    if (name) equal(api(name).removed, null, row.name);
  }
  deepEqual(PCI_DIRECTIONS.map((row) => row.value), DIRECTIONS.map((row) => row.value));
  for (const row of PCI_DIRECTIONS) ok(GONE.has(row.name), row.name);
});

Deno.test("WORDS cover every name that a finding could start from", () => {
  const device: readonly Meaning[] = [
    "dma",
    "phys",
    "phys-ram",
    "phys-bar",
    "phys-mmio",
    "pci-bus",
    "provider",
  ];
  const roles: readonly Api["role"][] = ["map", "unmap", "free", "sync", "check", "distance", "mask"];
  const starts = ROWS.filter((row) =>
    roles.includes(row.role) || row.families.length > 0 || row.handle !== null ||
    device.includes(row.returns) ||
    row.params.includes("dma") && row.role === "hardware"
  ).map((row) => `${row.name}(`);
  const names = [
    ...starts,
    ...[...GONE.values()].filter((row) => !/^(un)?map_resource$/.test(row.name)).map((row) => row.name),
    ...INTERNAL.map((row) => row.name),
    ...ATTRIBUTES.map((row) => row.name),
  ];
  // Not covered on purpose: members of struct dma_map_ops, see WORDS.
  for (const name of names) ok(WORDS.some((word) => name.includes(word)), name);
  equal(starts.length > 100, true);
});

Deno.test("WORDS leave out a patch that allocates, maps registers and writes them", () => {
  const text = "p = kmalloc(n, GFP_KERNEL); base = ioremap(a, n); writel(1, base); memcpy(p, q, n)";
  equal(WORDS.some((word) => text.includes(word)), false);
});

Deno.test("INTERNAL names are no part of the API that drivers may use", () => {
  for (const row of INTERNAL) {
    ok(row.source.trim() && row.instead.trim(), row.name);
    if (row.kind === "include") ok(row.name.endsWith(".h"), row.name);
    if (!row.name.endsWith("*")) continue;
    const stem = row.name.slice(0, -1);
    for (const name of API.keys()) ok(!name.startsWith(stem), `${row.name} covers ${name}`);
  }
});

Deno.test("TRANSPARENT, STORES and ITERATORS name no argument twice", () => {
  equal(new Set(TRANSPARENT.map((row) => `${row.name} ${row.argument}`)).size, TRANSPARENT.length);
  deepEqual(PASSES.get("min"), [0, 1]);
  deepEqual(PASSES.get("cpu_to_le64"), [0]);
  for (const row of STORES) ok(row.target !== row.value && row.member !== row.value, row.name);
  for (const row of ITERATORS) ok(row.list !== row.entry && row.count !== row.entry, row.name);
  for (const row of RESOURCE_STARTS) ok(API.has(row.name), row.name);
  for (const row of TRANSFER_PARAMETERS) {
    ok(!API.get(row.name)?.params[row.argument], `${row.name}: that is no data direction`);
  }
});

Deno.test("ATTRIBUTES have a bit each, the renamed one excepted", () => {
  const bits = ATTRIBUTES.filter((row) => row.name !== "DMA_ATTR_CPU_CACHE_CLEAN").map((row) => row.bit);
  equal(new Set(bits).size, bits.length);
  equal(ATTRIBUTES.find((row) => row.name === "DMA_ATTR_MMIO")?.bit, 10);
});

Deno.test("TRANSFER_DIRECTIONS clash with DIRECTIONS by number", () => {
  const number = (name: string) =>
    [...DIRECTIONS, ...TRANSFER_DIRECTIONS].find((row) => row.name === name)?.value;
  equal(number("DMA_MEM_TO_DEV"), number("DMA_TO_DEVICE"));
  equal(number("DMA_DEV_TO_MEM"), number("DMA_FROM_DEVICE"));
  equal(number("DMA_MEM_TO_MEM"), number("DMA_BIDIRECTIONAL"));
});

Deno.test("DEVICE_MEMBERS say what to map for where a device does no DMA", () => {
  const seen = new Set<string>();
  for (const row of DEVICE_MEMBERS) {
    const key = `${row.structType}.${row.member}`;
    ok(!seen.has(key), key);
    seen.add(key);
    equal(row.instead === null, row.dma, key);
    ok(row.source.trim() && row.what.trim(), key);
  }
  for (const row of CONTAINERS) ok(seen.has(`${row.structType}.${row.member}`), row.name);
  for (const row of DEVICE_CALLS) ok(row.means === null || row.means.includes("$"), row.name);
  equal(DEVICE_MEMBERS.find((row) => row.structType === "net_device")?.dma, false);
  for (const row of FIELDS) ok(row.source.trim(), row.member);
});

Deno.test("BAR_NAME takes the names of BARs and leaves their neighbours", () => {
  for (
    const name of [
      "bar_address",
      "pci_bar_start",
      "bar2_base",
      "gmc.aper_base",
      "rdev->mc.aper_base",
      "BAR0_ADDR",
    ]
  ) {
    ok(BAR_NAME.test(name), name);
  }
  for (const name of ["bio_start", "crowbar_base", "barrier_start", "bar_size", "buf_base", "vram_size"]) {
    ok(!BAR_NAME.test(name), name);
  }
});

Deno.test("FORMATS has the longer conversion first", () => {
  FORMATS.forEach((row, index) => {
    ok(
      !FORMATS.slice(0, index).some((before) => row.conversion.startsWith(before.conversion)),
      row.conversion,
    );
  });
});

Deno.test("isUnder and TEST_FILE place a path", () => {
  ok(isUnder("drivers/iommu/dma-iommu.c", IMPLEMENTATION_PATHS));
  ok(isUnder("drivers/pci/p2pdma.c", IMPLEMENTATION_PATHS));
  ok(!isUnder("drivers/dma/pl330.c", IMPLEMENTATION_PATHS));
  ok(!isUnder("drivers/vfio/pci/vfio_pci_dmabuf.c", IMPLEMENTATION_PATHS));
  ok(TEST_FILE.test("drivers/gpu/drm/tests/drm_mm_test.c"));
  ok(!TEST_FILE.test("drivers/net/latest.c"));
});

Deno.test("LOCKING gives each function once, and an _unlocked flavour takes the lock", () => {
  const names = LOCKING.map(({ name }) => name);
  equal(new Set(names).size, names.length);
  for (const { name, resv, source } of LOCKING) {
    ok(source.startsWith("drivers/dma-buf/"), name);
    if (name.endsWith("_unlocked")) {
      equal(resv, "taken", name);
      equal(LOCKING.find((row) => `${row.name}_unlocked` === name)?.resv, "held", name);
    }
  }
  ok(!LOCKED_CALLBACKS.includes("attach") && LOCKED_CALLBACKS.includes("map_dma_buf"));
});
