/**
 * Addresses and ranges of them. An address has up to 64 bits, so it is a bigint. Pure.
 *
 * @module
 */

/** `size` bytes from `start` on. */
export interface Range {
  readonly start: bigint;
  readonly size: bigint;
}

/** Whether an address lies in a range. */
export function contains({ start, size }: Range, address: bigint): boolean {
  return address >= start && address < start + size;
}

/** Whether two ranges share a byte. */
export function overlaps(a: Range, b: Range): boolean {
  return a.start < b.start + b.size && b.start < a.start + a.size;
}

/** `0x90000000`: as the kernel's log prints addresses. */
export function hex(address: bigint): string {
  return `0x${address.toString(16)}`;
}

/** `4 GiB`: a size in the largest unit that divides it. */
export function bytes(size: bigint): string {
  let left = size;
  for (const unit of ["B", "KiB", "MiB", "GiB", "TiB"]) {
    if (left % 1024n !== 0n || left === 0n || unit === "TiB") return `${left} ${unit}`;
    left /= 1024n;
  }
  return `${size} B`;
}
