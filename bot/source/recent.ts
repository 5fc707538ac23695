/**
 * What was read last, within a limit of memory.
 *
 * @module
 */

/** Values by key, of which the ones that nobody asked for the longest time go first. */
export class Recent<Value> {
  private readonly held = new Map<string, { readonly value: Value; readonly size: number }>();
  private size = 0;

  /** @param limit Of the sum of sizes; a value that is larger by itself is not kept */
  constructor(private readonly limit: number) {}

  has(key: string): boolean {
    return this.held.has(key);
  }

  get(key: string): Value | undefined {
    const found = this.held.get(key);
    if (found === undefined) return undefined;
    // A map gives its keys in the order of insertion.
    this.held.delete(key);
    this.held.set(key, found);
    return found.value;
  }

  set(key: string, value: Value, size: number): void {
    this.size -= this.held.get(key)?.size ?? 0;
    this.held.delete(key);
    if (size > this.limit) return;
    this.held.set(key, { value, size });
    this.size += size;
    for (const [oldest, { size }] of this.held) {
      if (this.size <= this.limit) break;
      this.held.delete(oldest);
      this.size -= size;
    }
  }
}
