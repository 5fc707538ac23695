/**
 * Y04: an address printed with a conversion that does not fit it.
 *
 * @module
 */

import type { Expr } from "./engine/ast.ts";
import { defineRule } from "./engine/rule.ts";
import { type Flow, flow } from "./facts/flow.ts";
import { isAlwaysWide, isTest } from "./facts/place.ts";
import { removed } from "./facts/removed.ts";
import { isAddressType, widthOfType } from "./facts/width.ts";

/** printk()'s kin: whatever ends like this and has a format string. */
const PRINTS =
  /^(?:printk(?:_ratelimited|_once|_deferred)?|(?:\w+_)?(?:printk|err|warn|info|notice|dbg|debug|alert|crit|emerg|printf|snprintf|scnprintf|sprintf|sysfs_emit)(?:_\w+)?|DRM_\w+|WARN(?:_ONCE)?|panic)$/;
/** One conversion: flags, width, precision, length, letter; for `%p` the extension that printk() adds. */
const CONVERSION =
  /%(?:%|([-+ #0]*)(\*|\d+)?(?:\.(\*|\d+))?(hh|h|ll|l|z|t|L)?([diouxXcsp])(ad|ap|a|[A-Za-z]+)?)/g;

export default defineRule({
  id: "dma-printk-format",
  since: "0.1.0",
  code: "Y04",
  severity: "warning",
  confidence: "medium",
  category: "type",
  scope: "function",
  summary: "a DMA or physical address is printed with the wrong conversion",
  why:
    `\`dma_addr_t\`, \`phys_addr_t\` and \`resource_size_t\` are 32 bits in one configuration and 64 in another, so that no
length of \`%x\` fits all of them: \`%llx\` warns on a 32-bit build and prints half of the next argument. printk() has
\`%pad\` for the first and \`%pa\` for the other two, both of which take the address of the variable: \`&addr\`. Given the
value, they take a DMA address for a pointer and read there.

A cast to \`u32\` builds everywhere and prints the half that says least.`,
  limits:
    `Only arguments whose type is declared in the patch, whose value was made there, or that the line it replaces printed
with \`%pad\` or \`%pa\`.`,
  unless: "the driver is built for one width of addresses only",
  sources: [
    "Documentation/core-api/printk-formats.rst: Physical address types, DMA address types",
    "lib/vsprintf.c: address_val()",
  ],
  messages: {
    length: "`{arg}` is a {type}, whose width varies: print it with {wanted}",
    half: "the cast of `{arg}` to {cast} prints the lower half of an address: print it with {wanted}",
    kind: "%{conversion} reads a {reads} there, and `{arg}` is a {type}: print it with {wanted}",
    hashed: "%{conversion} of `{arg}`, a {type}, prints a hash of it: print it with {wanted}",
    variable:
      "%{conversion} prints where the variable `{arg}` is, not the {type} in it: print that with {wanted}",
    value: "%{conversion} takes the address of the variable: `&{arg}`",
    resource: "%{conversion} takes a struct resource, and `{arg}` is a {type}: print it with {wanted}",
  },
  bad: [
    {
      title: "what the patch printed with %pad before, in one call with the device",
      patch: String.raw`
@@ static int foo_probe(struct foo *foo)
-	dev_dbg(&foo->dev, "va %pK, dma %pad\n",
-		foo->va, &foo->dma);
+	dev_dbg(&foo->dev, "va %pK, dma %x\n",
+		foo->va, foo->dma); /* want: length */
-	dev_dbg(&foo->dev, "%s: enc %pad, dec %pad\n", __func__, &foo->enc,
+	dev_dbg(&foo->dev, "%s: enc %x, dec %pad\n", __func__, foo->enc, /* want: length */
 		&foo->dec);`,
    },
    {
      title: "%llx and %x",
      patch: String.raw`
+static void foo_show(struct foo *foo, dma_addr_t addr, struct resource *res)
+{
+	dev_dbg(foo->dev, "ring %d at 0x%llx\n", foo->id, addr); /* want: length */
+	dev_dbg(foo->dev, "window at %08x\n", res->start); /* want: length */
+}`,
    },
    {
      title: "half of it",
      patch: String.raw`
+static void foo_show(struct foo *foo, dma_addr_t addr)
+{
+	pr_info("ring at %08x\n", (u32)addr); /* want: half */
+}`,
    },
    {
      title: "a DMA address read as a pointer",
      patch: String.raw`
+static void foo_show(struct foo *foo, dma_addr_t addr)
+{
+	pr_info("ring at %pad\n", addr); /* want: value */
+}`,
    },
    {
      title: "the other kind of address, and a pointer to print",
      patch: String.raw`
+static void foo_show(struct foo *foo, dma_addr_t dma, phys_addr_t phys)
+{
+	pr_info("ring %pa\n", &dma); /* want: kind */
+	pr_info("window %pad\n", &phys); /* want: kind */
+	pr_info("ring %p\n", (void *)dma); /* want: hashed */
+	pr_info("ring %p\n", &dma); /* want: variable */
+}`,
    },
    {
      title: "what a function returns",
      patch: String.raw`
+static void foo_show(struct foo *foo, struct pci_dev *pdev, struct scatterlist *sg)
+{
+	pci_info(pdev, "BAR at %llx, ", pci_resource_start(pdev, 0)); /* want: length */
+	pci_info(pdev, "first segment at %lx\n", sg_dma_address(sg)); /* want: length */
+}`,
    },
    {
      title: "the line before knew the type",
      patch: String.raw`
@@ static void foo_show(struct foo *foo)
 	foo_stop(foo);
-	pr_debug("split %d bytes at %pad\n", foo->len, &foo->ring);
+	pr_debug("split %d bytes at 0x%llx\n", foo->len, foo->ring); /* want: length */
-	pr_debug("window of %pa\n", &foo->window);
+	pr_debug("window of %08x\n", (u32)foo->window); /* want: half */
 	foo_start(foo);`,
    },
    {
      title: "an address is no resource",
      patch: String.raw`
+static void foo_show(struct foo *foo, phys_addr_t phys)
+{
+	dev_info(foo->dev, "window at %pR\n", &phys); /* want: resource */
+}`,
    },
  ],
  good: [
    {
      title: "the argument is another one now",
      patch: String.raw`
@@ static void foo_show(struct foo *foo)
 	foo_stop(foo);
-	pr_debug("split %d bytes at %pad\n", foo->len, &foo->ring);
+	pr_debug("split %d bytes at 0x%x of %pad\n", foo->len, foo->offset, &foo->ring); /* ok: length */
-	pr_debug("window of %pa at %d\n", &foo->window, foo->count);
+	pr_debug("window of %pa at %x\n", &foo->window, foo->count); /* ok: length, half */
-	pr_debug("queue at %pad\n", &foo->queue);
+	pr_debug("queue at %llx\n", (u64)foo->queue); /* ok: length, half */
 	foo_start(foo);`,
    },
    {
      title: "each of its own kind, and a pointer that is one",
      patch: String.raw`
+static void foo_show(struct foo *foo, dma_addr_t dma, phys_addr_t phys, resource_size_t size)
+{
+	pr_info("%pad %pa %pap %pa\n", &dma, &phys, &phys, &size); /* ok: kind */
+	pr_info("%p %p %px\n", foo, &foo->lock, foo->cpu); /* ok: hashed, variable */
+	pr_info("%llx\n", (u64)pci_resource_start(foo->pdev, 0)); /* ok: length */
+}`,
    },
    {
      title: "by reference, or widened",
      patch: String.raw`
+static void foo_show(struct foo *foo, dma_addr_t addr, struct resource *res)
+{
+	dev_dbg(foo->dev, "%s at %pad of %*ph, 100%%\n", foo->name, &addr, 4, foo->key); /* ok: value, length */
+	dev_dbg(foo->dev, "window %pR at %pa\n", res, &res->start); /* ok: value */
+	dev_dbg(foo->dev, "ring at 0x%llx\n", (unsigned long long)addr); /* ok: length */
+	dev_dbg(foo->dev, "halves %08x %08x\n", upper_32_bits(addr), lower_32_bits(addr)); /* ok: length, half */
+}`,
    },
    {
      title: "a driver that is built for 64 bits only",
      path: "drivers/ntb/hw/amd/foo.c",
      patch: String.raw`
+static void foo_show(struct foo *foo, dma_addr_t addr)
+{
+	dev_dbg(foo->dev, "ring at 0x%llx\n", addr); /* ok: length */
+}`,
    },
    {
      title: "a u64 that holds one, and an offset",
      patch: String.raw`
+static void foo_show(struct foo *foo, u64 addr, dma_addr_t base)
+{
+	pr_info("ring at 0x%llx, %u behind\n", addr, (u32)(addr - base)); /* ok: length, half */
+}`,
    },
    {
      title: "the size of a window",
      patch: String.raw`
+static void foo_show(resource_size_t bar_size)
+{
+	pr_info("%u bytes of registers\n", (u32)bar_size); /* ok: half */
+}`,
    },
  ],
  *check(fn, use) {
    if (isTest(fn.file)) return;
    const values = use(flow, fn);
    const gone = use(removed, fn.file);
    for (const { call } of values.calls) {
      if (!PRINTS.test(call.name)) continue;
      const before = formerly(gone.at(call));
      const at = call.args.findIndex((arg) => arg.kind === "string");
      const format = call.args[at];
      if (format?.kind !== "string") continue;
      let next = at + 1;
      for (const [, , width, precision, length, letter, extension] of format.text.matchAll(CONVERSION)) {
        if (letter === undefined) continue;
        if (width === "*") next++;
        if (precision === "*") next++;
        const arg = call.args[next++];
        if (arg === undefined) break;
        if (letter === "p") {
          if (extension !== undefined && /^[Rr]$/.test(extension) && arg.kind === "unary" && arg.op === "&") {
            const type = values.typeOf(arg.operand) ?? before.get(fn.file.textOf(arg.operand)) ?? null;
            if (!isAddressType(type)) continue;
            yield {
              at: arg,
              say: "resource",
              with: {
                conversion: `p${extension}`,
                arg: fn.file.textOf(arg.operand),
                type: type!,
                wanted: conversionFor(type!),
              },
              because: [{ at: format, note: "reads a struct resource there" }],
              severity: "error",
              wanted: conversionFor(type!),
              subject: `${call.name} ${values.canonical(arg)}`,
            };
            continue;
          }
          const misread = pointerOf(extension, arg, values);
          if (misread !== null) {
            const { type, place } = misread;
            yield {
              at: arg,
              say: misread.say,
              with: {
                conversion: `p${extension ?? ""}`,
                arg: fn.file.textOf(place),
                type,
                reads: extension === "ad" ? "dma_addr_t" : "phys_addr_t",
                wanted: conversionFor(type),
              },
              because: [{ at: place, note: `declared \`${type}\`` }],

              wanted: `${conversionFor(type)} and &${fn.file.textOf(place)}`,
              subject: `${call.name} ${values.canonical(place)}`,
            };
            continue;
          }
          const isAddress = extension !== undefined && /^a[dp]?$/.test(extension);
          const type = isAddress ? values.typeOf(arg) : null;
          if (!isAddress || !isAddressType(type) || arg.kind === "unary") continue;
          yield {
            at: arg,
            say: "value",
            with: { conversion: `p${extension}`, arg: fn.file.textOf(arg) },
            because: [{ at: arg, note: `a \`${type}\`, not a pointer to one` }],
            severity: "error",
            confidence: "high",
            wanted: `&${fn.file.textOf(arg)}`,
            subject: `${call.name} ${values.canonical(arg)}`,
          };
          continue;
        }
        if (!/[diouxX]/.test(letter)) continue;
        const type = plainType(arg, values) ??
          (isPlace(arg) ? before.get(fn.file.textOf(arg)) ?? null : null);
        if (isAddressType(type)) {
          if (length === "ll" && isAlwaysWide(fn.file)) continue;
          yield {
            at: arg,
            say: "length",
            with: { arg: fn.file.textOf(arg), type: type!, wanted: conversionFor(type!) },
            because: [{ at: format, note: `printed with %${length ?? ""}${letter}` }],
            wanted: isPlace(arg)
              ? `${conversionFor(type!)} and &${fn.file.textOf(arg)}`
              : `(u64)${fn.file.textOf(arg)}`,
            subject: `${call.name} ${values.canonical(arg)}`,
          };
          continue;
        }
        if (arg.kind !== "cast" || widthOfType(arg.type) !== 32 || !isPlace(arg.value)) continue;
        const inner = addressOf(arg.value, values) ?? before.get(fn.file.textOf(arg.value)) ?? null;
        // The size of a window is small enough.
        if (inner === null || /(?:^|[_.>])(?:size|len|length)$/.test(fn.file.textOf(arg.value))) continue;
        yield {
          at: arg,
          say: "half",
          with: { arg: fn.file.textOf(arg.value), cast: arg.type, wanted: conversionFor(inner) },
          because: [{ at: arg.value, note: `a ${inner}` }],
          severity: "note",
          // A resource may be one of I/O ports.
          confidence: /\bstart$/.test(fn.file.textOf(arg.value)) ? "low" : "medium",
          wanted: `${conversionFor(inner)} and &${fn.file.textOf(arg.value)}`,
          subject: `${call.name} ${values.canonical(arg.value)}`,
        };
      }
    }
  },
});

/** What was printed with `%pad` or `%pa` in the removed text, with the type that goes with it. */
function formerly(text: string): ReadonlyMap<string, string> {
  const types = new Map<string, string>();
  let conversions: string[] = [];
  // What has no conversion in it is an argument, or a part of a format that says nothing.
  const plain = text.replace(/"(?:[^"\\]|\\.)*"/g, (string) => string.includes("%") ? string : "");
  for (const [, format, behind] of plain.matchAll(/"((?:[^"\\]|\\.)*)"([^";]*)/g)) {
    conversions.push(...Array.from(format!.matchAll(/%p(a[dp]?)\b/g), ([, kind]) => kind!));
    // The compiler joins strings that stand side by side.
    if (behind!.trim() === "") continue;
    const args = [...behind!.matchAll(/[,(] ?&([\w.>\[\]-]+) ?(?=[,)]|$)/g)].map(([, arg]) => arg!);
    const isWhole = /\) ?$/.test(behind!);
    // Which belongs to which is plain when there are as many of the one as of the other, or when the last ones stay.
    if (args.length === conversions.length || (!isWhole && args.length < conversions.length)) {
      for (const [i, arg] of args.entries()) {
        types.set(arg, conversions[i] === "ad" ? "dma_addr_t" : "phys_addr_t");
      }
    }
    conversions = [];
  }
  return types;
}

const conversionFor = (type: string) => type.includes("dma_addr_t") ? "%pad" : "%pa";

/** A pointer conversion that does not print the address it is given; null when it does. */
function pointerOf(
  extension: string | undefined,
  arg: Expr,
  values: Flow,
): { say: "kind" | "hashed" | "variable"; type: string; place: Expr } | null {
  const place = arg.kind === "unary" && arg.op === "&" ? arg.operand : bareOf(arg);
  const type = isPlace(place) ? plainType(place, values) : null;
  if (!isAddressType(type)) return null;
  const isPlain = extension === undefined || /^[xK]$/.test(extension);
  if (place === (arg.kind === "unary" ? arg.operand : null)) {
    if (isPlain) return { say: "variable", type: type!, place };
    if (extension !== "ad" && extension !== "a" && extension !== "ap") return null;
    return (extension === "ad") === type!.includes("dma_addr_t") ? null : { say: "kind", type: type!, place };
  }
  return isPlain ? { say: "hashed", type: type!, place } : null;
}

const bareOf = (expr: Expr): Expr => expr.kind === "cast" ? bareOf(expr.value) : expr;

/** What the kernel's functions return, as far as their width varies. */
const RETURNS: ReadonlyMap<string, string> = new Map([
  ["sg_dma_address", "dma_addr_t"],
  ["pci_resource_start", "resource_size_t"],
  ["pci_resource_end", "resource_size_t"],
  ["pci_resource_len", "resource_size_t"],
  ["resource_size", "resource_size_t"],
  ["pci_bus_address", "pci_bus_addr_t"],
  ["virt_to_phys", "phys_addr_t"],
  ["page_to_phys", "phys_addr_t"],
]);

const isPlace = (expr: Expr) => expr.kind === "ident" || expr.kind === "member" || expr.kind === "index";

/** The declared type of a variable, or of a sum with one. */
function plainType(expr: Expr, values: Flow): string | null {
  if (expr.kind === "call") return RETURNS.get(expr.name) ?? null;
  if (isPlace(expr)) return values.typeOf(expr)?.replace(/\b(?:const|static|volatile)\b/g, "").trim() ?? null;
  if (expr.kind === "binary" && (expr.op === "+" || expr.op === "-" || expr.op === "&")) {
    const left = plainType(expr.left, values);
    const right = plainType(expr.right, values);
    // u64 wins over either width.
    if (widthOfType(left) === 64 && !isAddressType(left)) return left;
    if (widthOfType(right) === 64 && !isAddressType(right)) return right;
    return expr.op === "+" && isAddressType(left) && expr.right.kind === "number" ? left : null;
  }
  return null;
}

/** `dma_addr_t` or `phys_addr_t` for a variable that holds such a value for sure; null when it may be something else. */
function addressOf(expr: Expr, values: Flow): string | null {
  const type = plainType(expr, values);
  if (type !== null) return isAddressType(type) ? type : null;
  const origins = values.valueOf(expr);
  if (
    origins.length === 0 ||
    origins.some((origin) => origin.certainty === "name" || origin.meaning === "param")
  ) return null;
  if (origins.every((origin) => origin.meaning === "dma")) return "dma_addr_t";
  return origins.every((origin) => origin.meaning.startsWith("phys")) ? "phys_addr_t" : null;
}
