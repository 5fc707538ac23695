/**
 * L01: the result of setting up or looking up a p2pdma provider is ignored, misread or used untested.
 *
 * @module
 */

import { type Expr, partsOf } from "./engine/ast.ts";
import { asCall, type CfgNode, search } from "./engine/cfg.ts";
import { defineRule, type FunctionView, type Use } from "./engine/rule.ts";
import { type CallSite, type Flow, flow } from "./facts/flow.ts";
import { straightOn } from "./facts/map_type.ts";
import { isErrno, leadsToError, type Outcome, outcomeOf } from "./facts/outcome.ts";
import { isImplementation } from "./facts/place.ts";

const PROVIDER = "pcim_p2pdma_provider";
const SETUP = /^(?:pcim_p2pdma_init|pci_p2pdma_add_resource)$/;

export default defineRule({
  id: "p2pdma-provider-setup",
  since: "0.1.0",
  code: "L01",
  severity: "error",
  confidence: "high",
  category: "p2p-lifecycle",
  scope: "function",
  summary: "the result of pcim_p2pdma_init(), pcim_p2pdma_provider() or pci_p2pdma_add_resource() is misread",
  why:
    `\`pcim_p2pdma_init()\` and \`pci_p2pdma_add_resource()\` return 0 or a negative error, \`-EOPNOTSUPP\` in a kernel
without CONFIG_PCI_P2PDMA. \`pcim_p2pdma_provider()\` returns a pointer or NULL, never an error pointer: NULL for a BAR
that is no memory, with a warning when \`pcim_p2pdma_init()\` has not run, and always without CONFIG_PCI_P2PDMA. IS_ERR()
lets NULL through, and \`pci_p2pdma_map_type()\` and \`pci_p2pdma_bus_addr_map()\` dereference what they are given;
\`dma_buf_phys_vec_to_sgt()\` warns.

A driver that works without peer-to-peer DMA goes on after \`-EOPNOTSUPP\`. The test for it must let 0 pass as well:
\`if (ret && ret != -EOPNOTSUPP)\`.`,
  limits:
    `Whether \`pcim_p2pdma_init()\` runs before \`pcim_p2pdma_provider()\` is not checked: the two stand in different
functions and often in different files. A provider that is kept in a structure and used by another function is taken for
tested. A driver that fails its probe on \`-EOPNOTSUPP\` is not reported: it may need peer-to-peer DMA.`,
  unless: "the series that the patch is part of changes what the function returns",
  sources: [
    "drivers/pci/p2pdma.c and include/linux/pci-p2pdma.h: pcim_p2pdma_init(), pcim_p2pdma_provider() (v6.19)",
    "drivers/dma-buf/dma-buf-mapping.c: dma_buf_phys_vec_to_sgt()",
    "https://lore.kernel.org/all/20250929151749.2007b192.alex.williamson@redhat.com/",
    "https://lore.kernel.org/all/20251120-dmabuf-vfio-v9-0-d7f71607f371@nvidia.com/ (changes of v6)",
  ],
  words: ["p2pdma"],
  messages: {
    "err-ptr":
      "{callee}() returns NULL when there is no provider, and IS_ERR() lets NULL through; test `!{place}`",
    unchecked: "`{place}` comes from {callee}(), which may return NULL, and is used without a test",
    holder:
      "`{place}` holds what {callee}() returned, and `{holder}` is tested, which points there and is never NULL; test `!{place}`",
    ignored:
      "the result of {callee}() is ignored: it returns a negative error, -EOPNOTSUPP without CONFIG_PCI_P2PDMA",
    success:
      "{callee}() returns 0 for success, which is not -EOPNOTSUPP either: the function returns here when all is well; test `{place} && {place} != -EOPNOTSUPP`",
    inverted: "{callee}() returns 0 for success: the error is returned when all is well",
  },
  bad: [
    {
      title: "a NULL taken for an error pointer",
      patch: String.raw`
+static int foo_export(struct foo *foo, int bar)
+{
+	foo->provider = pcim_p2pdma_provider(foo->pdev, bar);
+	if (IS_ERR(foo->provider)) /* want: err-ptr */
+		return PTR_ERR(foo->provider);
+	return 0;
+}`,
    },
    {
      title: "a provider that may be NULL",
      patch: String.raw`
+static struct sg_table *foo_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
+{
+	struct foo *foo = attach->dmabuf->priv;
+	struct p2pdma_provider *provider = pcim_p2pdma_provider(foo->pdev, 2); /* want: unchecked */
+
+	return dma_buf_phys_vec_to_sgt(attach, provider, &foo->vec, 1, foo->size, dir);
+}`,
    },
    {
      title: "the pointer to the pointer is tested",
      patch: String.raw`
+static int foo_get(struct foo *foo, struct p2pdma_provider **provider, int bar)
+{
+	*provider = pcim_p2pdma_provider(foo->pdev, bar);
+	if (!provider) /* want: holder */
+		return -EINVAL;
+	return 0;
+}`,
    },
    {
      title: "success is not -EOPNOTSUPP",
      patch: String.raw`
+static int foo_init(struct foo *foo)
+{
+	int ret;
+
+	ret = pcim_p2pdma_init(foo->pdev);
+	if (ret != -EOPNOTSUPP) /* want: success */
+		return ret;
+	mutex_init(&foo->lock);
+	return 0;
+}`,
    },
    {
      title: "an ignored and an inverted result",
      patch: String.raw`
+static int foo_probe(struct pci_dev *pdev, const struct pci_device_id *id)
+{
+	pci_p2pdma_add_resource(pdev, 4, 0, 0); /* want: ignored */
+	if (!pcim_p2pdma_init(pdev)) /* want: inverted */
+		return -ENODEV;
+	return 0;
+}`,
    },
  ],
  good: [
    {
      title: "all results are read as they are meant",
      patch: String.raw`
+static int foo_init(struct foo *foo)
+{
+	int ret;
+
+	ret = pcim_p2pdma_init(foo->pdev); /* ok: ignored */
+	if (ret && ret != -EOPNOTSUPP) /* ok: success */
+		return ret;
+	foo->provider = pcim_p2pdma_provider(foo->pdev, 2); /* ok: unchecked */
+	if (!foo->provider) /* ok: err-ptr */
+		return -EINVAL;
+	foo->offset = foo->provider->bus_offset;
+	return 0;
+}`,
    },
    {
      title: "P2P is the last thing to set up",
      patch: String.raw`
+static int foo_init_p2p(struct foo *foo)
+{
+	int ret = pcim_p2pdma_init(foo->pdev);
+
+	if (ret != -EOPNOTSUPP) /* ok: success */
+		return ret;
+	return 0;
+}
+
+static void foo_add(struct foo *foo)
+{
+	(void)pcim_p2pdma_init(foo->pdev); /* ok: ignored */
+	if (pci_p2pdma_add_resource(foo->pdev, 4, 0, 0)) /* ok: ignored */
+		dev_warn(&foo->pdev->dev, "no P2P\n");
+}`,
    },
    {
      title: "given to a caller who tests it",
      patch: String.raw`
+static int foo_get(struct foo *foo, struct p2pdma_provider **provider, int bar)
+{
+	*provider = pcim_p2pdma_provider(foo->pdev, bar); /* ok: unchecked */
+	if (!*provider)
+		return -EINVAL;
+	return foo_fill(foo, *provider);
+}
+
+static struct p2pdma_provider *foo_provider(struct foo *foo)
+{
+	return pcim_p2pdma_provider(foo->pdev, foo->bar); /* ok: unchecked */
+}`,
    },
    {
      title: "both kinds of failure",
      patch: String.raw`
+static int foo_export(struct foo *foo, int bar)
+{
+	foo->provider = pcim_p2pdma_provider(foo->pdev, bar);
+	if (IS_ERR_OR_NULL(foo->provider)) /* ok: err-ptr */
+		return -EINVAL;
+	return foo_use(foo->provider);
+}`,
    },
  ],
  *check(fn, use) {
    if (isImplementation(fn.file)) return;
    const values = use(flow, fn);
    for (const site of values.calls) {
      const { call, node } = site;
      if (call.name === PROVIDER) yield* providerOf(site, fn, values, use);
      else if (SETUP.test(call.name)) yield* setup(site, outcomeOf(call, node, values), values);
    }
  },
});

/** Whether the function is shown, and returns error pointers: an earlier patch of the series may have it so. */
const returnsErrors = (name: string, use: Use) =>
  [...use.side.files, ...use.side.context].some((file) =>
    file.functions.some((fn) =>
      fn.name === name && file.text.slice(fn.node.start, fn.node.end).includes("ERR_PTR(")
    )
  );

function* providerOf({ call, node }: CallSite, fn: FunctionView, values: Flow, use: Use) {
  const { kept, tests } = outcomeOf(call, node, values);
  if (kept === null) {
    if (usesIn(node.expr, (expr) => asCall(expr) === call)) {
      yield { at: call, say: "unchecked" as const, with: { callee: call.name, place: fn.file.textOf(call) } };
    }
    return;
  }
  const with_ = { callee: call.name, place: kept.place };
  const wrong = tests.find((test) => test.op === "err-value");
  const isTested = tests.some((test) => test.op !== "err-value");
  if (wrong !== undefined && !isTested) {
    if (returnsErrors(PROVIDER, use)) return;
    yield {
      at: wrong.expr,
      say: "err-ptr" as const,
      with: with_,
      because: [{ at: call, note: "a pointer or NULL" }],
      severity: "warning" as const,
      confidence: "medium" as const,
      subject: kept.place,
    };
    return;
  }
  if (tests.length > 0) return;
  // `*provider = …; if (!provider)`: what is stored, and where.
  const holder = /^\*(\w+)$/.exec(kept.place)?.[1];
  const mistaken = holder === undefined ? undefined : nextTest(node, holder, values);
  if (mistaken !== undefined) {
    yield {
      at: mistaken,
      say: "holder" as const,
      with: { ...with_, holder: holder! },
      because: [{ at: call, note: `stored in \`${kept.place}\`` }],
      subject: kept.place,
    };
    return;
  }
  const isIt = (expr: Expr) =>
    (expr.kind === "ident" && expr.name === kept.place) ||
    (expr.kind !== "call" && values.canonical(expr) === kept.place);
  // A macro or a helper that is given it may test it: IS_ERR_OR_NULL(), WARN_ON(), foo_check().
  const asks = (at: CfgNode) => {
    const expr = at.expr ?? at.decl?.init ?? null;
    return expr !== null && at !== node && mentionsIn(expr, isIt) && !usesIn(expr, isIt);
  };
  const found = search(
    node,
    (at) => usesIn(at.expr ?? at.decl?.init ?? null, isIt) ? "hit" : asks(at) ? "stop" : "go",
  );
  if (found.hit === null || found.path.some((step) => step.kind === "hole")) return;
  yield {
    at: call,
    say: "unchecked" as const,
    with: with_,
    because: [{ at: found.hit.at, note: "used here" }],
    severity: "warning" as const,
    subject: kept.place,
  };
}

/** The test of a variable's truth that the call is straight followed by. */
function nextTest(from: CfgNode, name: string, values: Flow): Expr | undefined {
  const found = search(
    from,
    (at) =>
      at.kind === "test" && at.expr?.kind === "ident" && at.expr.name === name
        ? "hit"
        : at.kind === "join"
        ? "go"
        : "stop",
  );
  // A pointer that something else was put into since is another one.
  return values.stores.some(({ place }) => place === name) ? undefined : found.hit?.expr ?? undefined;
}

function* setup({ call, node }: CallSite, { kept, tests }: Outcome, values: Flow) {
  const with_ = { callee: call.name, place: kept?.place ?? "" };
  // Who casts to void has thought of it.
  if (kept === null && node.kind === "expr" && node.expr === call) {
    yield { at: call, say: "ignored" as const, with: with_, severity: "warning" as const };
  }
  for (const test of tests) {
    if (test.node.kind !== "test") continue;
    const way = (when: boolean) => test.node.succ.find((edge) => edge.when === when);
    if (test.op === "truth") {
      const zero = way(false);
      if (tests.length === 1 && zero !== undefined && leadsToError(zero)) {
        yield { at: test.expr, say: "inverted" as const, with: with_, subject: call.name };
      }
      continue;
    }
    if (test.op !== "!=" || test.with === null || !isErrno(test.with) || kept === null) continue;
    // Another test may have let 0 pass already.
    if (tests.some((other) => other !== test && other.node !== test.node)) continue;
    const [out, on] = [way(true), way(false)];
    if (out === undefined || on === undefined) continue;
    const returns = straightOn(out.to).find((at) => at.kind === "return");
    const isSame = returns?.expr !== null && returns?.expr !== undefined &&
      (values.canonical(returns.expr) === kept.place ||
        (returns.expr.kind === "ident" && returns.expr.name === kept.place));
    // What is left to do must be something: `return 0` is no loss.
    const goesOn = straightOn(on.to).some((at) =>
      at.kind === "hole" || at.kind === "test" || at.kind === "expr"
    );
    if (isSame && goesOn) {
      yield {
        at: test.expr,
        say: "success" as const,
        with: with_,
        because: [{ at: call, note: "0 when the provider is set up" }],
        subject: kept.place,
      };
    }
  }
}

/** Whether the expression dereferences what `isIt` says, or gives it to a function of p2pdma or of dma-buf. */
function usesIn(expr: Expr | null, isIt: (expr: Expr) => boolean): boolean {
  if (expr === null) return false;
  if (expr.kind === "member" && expr.arrow && isIt(expr.object)) return true;
  if (expr.kind === "call" && TAKES.test(expr.name) && expr.args.some(isIt)) return true;
  return partsOf(expr).some((part) => usesIn(part, isIt));
}

const TAKES = /^(?:pci_p2pdma_map_type|pci_p2pdma_bus_addr_map|dma_buf_phys_vec_to_sgt)$/;

function mentionsIn(expr: Expr, isIt: (expr: Expr) => boolean): boolean {
  return isIt(expr) || partsOf(expr).some((part) => mentionsIn(part, isIt));
}
