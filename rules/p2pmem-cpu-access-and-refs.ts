/**
 * L03: P2P memory treated like RAM by the CPU, given back with another size, or its device never put.
 *
 * @module
 */

import { type Expr, partsOf } from "./engine/ast.ts";
import { type CfgNode, type Edge, search } from "./engine/cfg.ts";
import { type At, defineRule, type FunctionView } from "./engine/rule.ts";
import { compare } from "./engine/version.ts";
import { declaredType } from "./facts/device.ts";
import { type CallSite, type Flow, flow } from "./facts/flow.ts";
import { constant, outcomeOf, type Test } from "./facts/outcome.ts";
import { isImplementation } from "./facts/place.ts";
import type { Version } from "./kernel/mod.ts";

/** Until then Documentation/driver-api/pci/p2pdma.rst said that plain loads and stores would do. */
const MMIO_BY_THE_BOOK: Version = [6, 19];
const FINDS = /^pci_p2pmem_find(?:_many)?$/;
const PUTS = /^(?:pci_dev_put|put_device)$/;
/** Functions that use the device and keep no reference to it. */
const BORROWS =
  /^(?:pci_dev_put|pci_name|pci_(?:alloc|free)_p2pmem|pci_p2pmem_\w+|pci_has_p2pmem|pci_p2pdma_distance|dev_name|(?:dev|pci|pr)_(?:info|dbg|debug|warn|err|notice)(?:_once|_ratelimited)?)$/;

export default defineRule({
  id: "p2pmem-cpu-access-and-refs",
  since: "0.1.0",
  code: "L03",
  severity: "warning",
  confidence: "medium",
  category: "p2p-lifecycle",
  scope: "function",
  summary: "P2P memory copied like RAM, freed with another size, or its device never put",
  why:
    `\`pci_alloc_p2pmem()\` gives the kernel address of a piece of a BAR. It is MMIO and has to be accessed through
\`readX()\`, \`writeX()\` or \`memcpy_toio()\`: a plain memcpy() may use accesses that device memory does not take, and on
some architectures it corrupts data or crashes.

\`pci_free_p2pmem()\` gives the pool as much back as it is told, and the reference that the allocation took. A size that
is not the one of the allocation hits the pool's other chunks. \`pci_p2pmem_find()\` returns a device with a reference
that the caller has to give back with \`pci_dev_put()\`.`,
  limits:
    `Only memory that is allocated in the function itself is known to be P2P memory: what lies in a structure may be
RAM as well, as in nvme, which puts its queues into either. An allocation of which nobody tests whether it is NULL is
reported by dma-mapping-unchecked. A bus address of \`pci_p2pmem_virt_to_bus()\` that is given to another device is not
looked for.`,
  unless: "the memory is known to take plain accesses on the only platform that the driver is for",
  sources: [
    "Documentation/driver-api/pci/p2pdma.rst: Struct Page Caveats (v6.19)",
    "drivers/pci/p2pdma.c: pci_alloc_p2pmem(), pci_free_p2pmem(), pci_p2pmem_find_many()",
  ],
  messages: {
    cpu:
      "{callee} accesses P2P memory like RAM: it is MMIO of a BAR; use memcpy_toio(), memcpy_fromio() or readX() and writeX()",
    size: "`{memory}` was allocated with size `{was}` and is freed with `{now}`",
    reference: "{callee}() returned a reference to `{device}`, and on a way from here nobody puts it",
  },
  bad: [
    {
      title: "plain accesses to a BAR",
      patch: String.raw`
+static void *foo_ring(struct pci_dev *pdev, const void *image, size_t n)
+{
+	u32 *ring = pci_alloc_p2pmem(pdev, n);
+
+	if (!ring)
+		return NULL;
+	memcpy(ring, image, n); /* want: cpu */
+	ring[0] = FOO_MAGIC; /* want: cpu */
+	return ring;
+}`,
    },
    {
      title: "two sizes",
      patch: String.raw`
+static int foo_try(struct pci_dev *pdev)
+{
+	void *buf = pci_alloc_p2pmem(pdev, SZ_8K);
+
+	if (!buf)
+		return -ENOMEM;
+	foo_run(pdev, pci_p2pmem_virt_to_bus(pdev, buf));
+	pci_free_p2pmem(pdev, buf, SZ_4K); /* want: size */
+	return 0;
+}`,
    },
    {
      title: "a device is found, asked for its name and forgotten",
      patch: String.raw`
+static int foo_check(struct foo *foo)
+{
+	struct pci_dev *p2p_dev = pci_p2pmem_find(foo->dev); /* want: reference */
+
+	if (!p2p_dev)
+		return -EINVAL;
+	dev_info(foo->dev, "P2P memory on %s\n", pci_name(p2p_dev));
+	return 0;
+}`,
    },
  ],
  good: [
    {
      title: "MMIO accessors",
      patch: String.raw`
+static void *foo_ring(struct pci_dev *pdev, const void *image, size_t n)
+{
+	void *ring = pci_alloc_p2pmem(pdev, n);
+
+	if (!ring)
+		return NULL;
+	memcpy_toio((void __iomem *)ring, image, n); /* ok: cpu */
+	return ring;
+}`,
    },
    {
      title: "what the book said before",
      kernel: "6.12",
      patch: String.raw`
+static void *foo_ring(struct pci_dev *pdev, const void *image, size_t n)
+{
+	void *ring = pci_alloc_p2pmem(pdev, n);
+
+	if (ring)
+		memcpy(ring, image, n); /* ok: cpu */
+	return ring;
+}`,
    },
    {
      title: "one size, one reference, or a reference that is kept",
      patch: String.raw`
+static int foo_try(struct foo *foo, size_t n)
+{
+	struct pci_dev *p2p_dev = pci_p2pmem_find(foo->dev); /* ok: reference */
+	void *buf;
+
+	if (!p2p_dev)
+		return -EINVAL;
+	buf = pci_alloc_p2pmem(p2p_dev, n);
+	if (buf)
+		pci_free_p2pmem(p2p_dev, buf, n); /* ok: size */
+	pci_dev_put(p2p_dev);
+	return 0;
+}
+
+static int foo_keep(struct foo *foo)
+{
+	struct pci_dev *p2p_dev = pci_p2pmem_find(foo->dev); /* ok: reference */
+
+	if (!p2p_dev)
+		return -EINVAL;
+	foo->p2p_dev = p2p_dev;
+	return 0;
+}
+
+static int foo_add(struct foo *foo, int id)
+{
+	struct pci_dev *p2p_dev = pci_p2pmem_find(foo->dev); /* ok: reference */
+
+	if (!p2p_dev)
+		return -EINVAL;
+	return xa_err(xa_store(&foo->devs, id, p2p_dev, GFP_KERNEL));
+}`,
    },
  ],
  *check(fn, use) {
    if (isImplementation(fn.file)) return;
    const values = use(flow, fn);
    const { kernel } = use.side;
    if (kernel === null || compare(kernel, MMIO_BY_THE_BOOK) >= 0) yield* accesses(fn, values);
    for (const site of values.calls) {
      if (site.call.name === "pci_free_p2pmem") yield* sizes(site, fn, values);
      else if (FINDS.test(site.call.name) && fn.whole) yield* reference(site, fn, values);
    }
  },
});

function* accesses(fn: FunctionView, values: Flow) {
  const found: { at: At; callee: string; memory: Expr }[] = [];
  for (const { call, api } of values.calls) {
    if (api?.role !== "cpu-use") continue;
    for (const [i, memory] of call.args.entries()) {
      if (api.params[i] === "kva") found.push({ at: call, callee: `${call.name}()`, memory });
    }
  }
  for (const { target } of values.stores) {
    if (!("kind" in target)) continue;
    const memory = target.kind === "index"
      ? target.object
      : target.kind === "member" && target.arrow
      ? target.object
      : target.kind === "unary" && target.op === "*"
      ? target.operand
      : null;
    if (memory !== null) found.push({ at: target, callee: `\`${fn.file.textOf(target)}\``, memory });
  }
  for (const { at, callee, memory } of found) {
    const origins = values.valueOf(memory);
    const origin = origins.find(({ meaning }) => meaning === "kva-p2p");
    if (origin === undefined || origins.some(({ meaning }) => meaning !== "kva-p2p")) continue;
    yield {
      at,
      say: "cpu" as const,
      with: { callee },
      because: [{ at: origin.expr, note: "memory of a BAR", file: origin.file }],
    };
  }
}

function* sizes({ call, node }: CallSite, fn: FunctionView, values: Flow) {
  const [, memory, size] = call.args;
  if (memory === undefined || size === undefined) return;
  const origins = values.valueOf(memory).filter(({ meaning }) => meaning === "kva-p2p");
  const origin = origins[0]?.expr;
  if (origins.length !== 1 || origin?.kind !== "call" || origins[0]!.file !== fn.file) return;
  const was = origin.args[1];
  // Names may have the same value; two constants are two numbers, as far as anybody can read.
  if (was === undefined || !isFixed(was) || !isFixed(size) || values.nodeOf(size) !== node) return;
  if (fn.file.textOf(was) === fn.file.textOf(size)) return;
  yield {
    at: size,
    say: "size" as const,
    with: { memory: fn.file.textOf(memory), was: fn.file.textOf(was), now: fn.file.textOf(size) },
    because: [{ at: origin, note: "allocated here" }],
    subject: fn.file.textOf(memory),
  };
}

const isFixed = (expr: Expr): boolean =>
  expr.kind === "number" || expr.kind === "sizeof" ||
  (expr.kind === "ident" && /^[A-Z][A-Z0-9_]+$/.test(expr.name));

function* reference({ call, node }: CallSite, fn: FunctionView, values: Flow) {
  const { kept, tests } = outcomeOf(call, node, values);
  // A field is a place to keep it.
  if (kept === null || declaredType(fn, kept.place) === null) return;
  const isIt = (expr: Expr): boolean =>
    (expr.kind === "ident" && expr.name === kept.place) || (expr.kind === "cast" && isIt(expr.value));
  const exprs = values.cfg.nodes.map((at) => at.expr ?? at.decl?.init ?? null).filter((expr) =>
    expr !== null
  );
  // Whoever else gets the pointer may put it.
  if (exprs.some((expr) => expr !== call && givesAway(expr, isIt))) return;
  if (values.returns.some(({ value }) => isIt(value))) return;
  const mentionsIt = (expr: Expr): boolean => isIt(expr) || partsOf(expr).some(mentionsIt);
  const puts = new Set(
    values.calls.filter((one) => PUTS.test(one.call.name) && one.call.args.some((arg) => mentionsIt(arg)))
      .map((one) => one.node),
  );
  const found = search(
    node,
    (at) => at.kind === "exit" ? "hit" : puts.has(at) || at.kind === "hole" ? "stop" : "go",
    (at) => at.succ.filter((edge) => !isNull(at, edge, tests)),
  );
  if (found.hit === null) return;
  yield {
    at: call,
    say: "reference" as const,
    with: { callee: call.name, device: kept.place },
    because: found.path.filter((at) => at.kind === "return").slice(0, 1).map((at) => ({
      at: at.at,
      note: "the reference is lost here",
    })),
    subject: kept.place,
  };
}

/** Whether the way is taken when nothing was found. */
function isNull(at: CfgNode, edge: Edge, tests: readonly Test[]): boolean {
  return tests.some((test) =>
    test.node === at &&
    (test.op === "truth"
      ? edge.when === false
      : test.with !== null && constant(test.with) === 0n && edge.when === (test.op === "=="))
  );
}

/** Whether a part of the expression stores the pointer, or passes it to somebody who may keep it. */
function givesAway(expr: Expr, isIt: (expr: Expr) => boolean): boolean {
  if (expr.kind === "assign" && isIt(expr.value)) return true;
  if (expr.kind === "call" && !BORROWS.test(expr.name) && expr.args.some(isIt)) return true;
  // &dev->dev may be kept as well, but that is no way to keep a reference.
  if (expr.kind === "initializer" || expr.kind === "conditional") {
    return partsOf(expr).some((part) => isIt(part) || givesAway(part, isIt));
  }
  if (expr.kind === "unary" && expr.op === "&" && isIt(expr.operand)) return true;
  return partsOf(expr).some((part) => givesAway(part, isIt));
}
