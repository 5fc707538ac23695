/**
 * The functions that hand a value to a device, and those that hand a value on unchanged. Facts only.
 *
 * @module
 */

import { row } from "./row.ts";
import type { Api, Meaning } from "./types.ts";

const IO = "include/asm-generic/io.h, Documentation/driver-api/device-io.rst";
const IO_64 = "include/linux/io-64-nonatomic-lo-hi.h, io-64-nonatomic-hi-lo.h";
const POWERPC = "arch/powerpc/include/asm/io.h";
const REGMAP = "include/linux/regmap.h";
const PCI = "include/linux/pci.h";

/** Functions of one shape; `memory` is the position of the value. */
function writes(names: readonly string[], params: readonly Meaning[], memory: number, source: string): Api[] {
  return names.map((name) => row({ name, role: "hardware", params, memory, size: null, source }));
}

/** Every function that gives a value to a device. The register's pointer is the parameter that is iomem. */
export const HARDWARE: readonly Api[] = [
  ...writes(["writeb", "writew", "writel", "writeq"], ["none", "iomem"], 0, IO),
  ...writes(
    ["writeb_relaxed", "writew_relaxed", "writel_relaxed", "writeq_relaxed"],
    ["none", "iomem"],
    0,
    IO,
  ),
  ...writes(["__raw_writeb", "__raw_writew", "__raw_writel", "__raw_writeq"], ["none", "iomem"], 0, IO),
  ...writes(["iowrite8", "iowrite16", "iowrite32", "iowrite64"], ["none", "iomem"], 0, IO),
  ...writes(["iowrite16be", "iowrite32be", "iowrite64be"], ["none", "iomem"], 0, IO),
  ...writes(
    [
      "lo_hi_writeq",
      "lo_hi_writeq_relaxed",
      "hi_lo_writeq",
      "hi_lo_writeq_relaxed",
      "iowrite64_lo_hi",
      "iowrite64_hi_lo",
      "iowrite64be_lo_hi",
      "iowrite64be_hi_lo",
    ],
    ["none", "iomem"],
    0,
    IO_64,
  ),
  ...writes(["outb", "outw", "outl"], ["none", "none"], 0, IO),
  ...writes(
    ["out_8", "out_be16", "out_be32", "out_be64", "out_le16", "out_le32", "out_le64"],
    ["iomem", "none"],
    1,
    POWERPC,
  ),
  ...writes(["regmap_write", "regmap_write_async"], ["none", "none", "none"], 2, REGMAP),
  ...writes(["regmap_update_bits", "regmap_write_bits"], ["none", "none", "none", "none"], 3, REGMAP),
  ...writes(["regmap_field_write"], ["none", "none"], 1, REGMAP),
  ...writes(
    ["pci_write_config_byte", "pci_write_config_word", "pci_write_config_dword"],
    ["pci-dev", "none", "none"],
    2,
    PCI,
  ),
];

/** A function whose result is one of its arguments, as far as the kind of address is concerned. */
export interface Transparent {
  readonly name: string;
  /** 0-based position of the argument; a function with several has several rows. */
  readonly argument: number;
  readonly source: string;
}

/** Rows for names of which the same arguments pass through. */
function passes(names: readonly string[], positions: readonly number[], source: string): Transparent[] {
  return names.flatMap((name) => positions.map((argument) => ({ name, argument, source })));
}

const ENDIAN = ["16", "32", "64"].flatMap((bits) => [
  `cpu_to_le${bits}`,
  `cpu_to_be${bits}`,
  `le${bits}_to_cpu`,
  `be${bits}_to_cpu`,
  `__cpu_to_le${bits}`,
  `__cpu_to_be${bits}`,
  `__le${bits}_to_cpu`,
  `__be${bits}_to_cpu`,
  `swab${bits}`,
]);

/** What hands a value on. lower_32_bits() and upper_32_bits() give a half of it, which is still of its kind. */
export const TRANSPARENT: readonly Transparent[] = [
  ...passes(ENDIAN, [0], "include/linux/byteorder/generic.h, include/linux/swab.h"),
  // Both read through a pointer; of the values that are followed only device tree cells come as one.
  ...passes(["be32_to_cpup", "be64_to_cpup"], [0], "include/linux/byteorder/generic.h"),
  ...passes(["of_read_number"], [0], "include/linux/of.h"),
  ...passes(["lower_32_bits", "upper_32_bits"], [0], "include/linux/wordpart.h"),
  ...passes(["min", "max", "umin", "umax", "min_not_zero"], [0, 1], "include/linux/minmax.h"),
  ...passes(["min_t", "max_t"], [1, 2], "include/linux/minmax.h"),
  ...passes(["min3", "max3"], [0, 1, 2], "include/linux/minmax.h"),
  ...passes(["clamp", "clamp_val"], [0], "include/linux/minmax.h"),
  ...passes(["clamp_t"], [1], "include/linux/minmax.h"),
  ...passes(["ALIGN", "ALIGN_DOWN", "PTR_ALIGN", "PTR_ALIGN_DOWN"], [0], "include/linux/align.h"),
  ...passes(["PAGE_ALIGN", "PAGE_ALIGN_DOWN"], [0], "include/linux/mm.h"),
  ...passes(["round_up", "round_down", "roundup", "rounddown"], [0], "include/linux/math.h"),
  ...passes(["READ_ONCE"], [0], "include/asm-generic/rwonce.h"),
  ...passes(["likely", "unlikely"], [0], "include/linux/compiler.h"),
  ...passes(["array_index_nospec"], [0], "include/linux/nospec.h"),
  ...passes(["FIELD_PREP", "FIELD_GET"], [1], "include/linux/bitfield.h"),
  ...passes(["__sme_set", "__sme_clr"], [0], "include/linux/mem_encrypt.h"),
  ...passes(["untagged_addr"], [0], "include/linux/uaccess.h"),
];

/** A macro or function that stores a value, where the C grammar sees a call and no assignment. */
export interface Store {
  readonly name: string;
  /** Position of what is written. */
  readonly target: number;
  /** Whether the target is a pointer to the place rather than the place. */
  readonly pointer: boolean;
  /** Position of a bare member name that selects `target->member`; null when there is none. */
  readonly member: number | null;
  readonly value: number;
  readonly source: string;
}

/** What stores. */
export const STORES: readonly Store[] = [
  {
    name: "WRITE_ONCE",
    target: 0,
    pointer: false,
    member: null,
    value: 1,
    source: "include/asm-generic/rwonce.h",
  },
  {
    name: "smp_store_release",
    target: 0,
    pointer: true,
    member: null,
    value: 1,
    source: "include/asm-generic/barrier.h",
  },
  {
    name: "dma_unmap_addr_set",
    target: 0,
    pointer: true,
    member: 1,
    value: 2,
    source: "include/linux/dma-mapping.h",
  },
  {
    name: "dma_unmap_len_set",
    target: 0,
    pointer: true,
    member: 1,
    value: 2,
    source: "include/linux/dma-mapping.h",
  },
  {
    name: "netmem_dma_unmap_addr_set",
    // (netmem, ptr, member, value): nothing to unmap for memory that the device owns.
    target: 1,
    pointer: true,
    member: 2,
    value: 3,
    source: "include/net/netmem.h (v6.16)",
  },
  ...["16", "32", "64"].flatMap((bits) =>
    ["le", "be"].map((end) => ({
      name: `put_unaligned_${end}${bits}`,
      target: 1,
      pointer: true,
      member: null,
      value: 0,
      source: "include/linux/unaligned.h",
    }))
  ),
];

/** A macro that reads `pointer->member`, given the bare name of the member. */
export interface Load {
  readonly name: string;
  readonly target: number;
  readonly member: number;
  readonly returns: Meaning;
  readonly source: string;
}

/** What loads. */
export const LOADS: readonly Load[] = [
  { name: "dma_unmap_addr", target: 0, member: 1, returns: "dma", source: "include/linux/dma-mapping.h" },
  { name: "dma_unmap_len", target: 0, member: 1, returns: "size", source: "include/linux/dma-mapping.h" },
];
