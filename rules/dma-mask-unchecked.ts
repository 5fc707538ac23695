/**
 * E06: nobody, or the wrong branch, listens to what dma_set_mask() answers.
 *
 * @module
 */

import type { Expr } from "./engine/ast.ts";
import { asCall, type CfgNode, search } from "./engine/cfg.ts";
import { type Because, defineRule, type FunctionView } from "./engine/rule.ts";
import { type Flow, flow } from "./facts/flow.ts";
import { formerCall, isDenied, linesOf } from "./facts/former.ts";
import { mentioned } from "./facts/mention.ts";
import { isAllShown, isTest } from "./facts/place.ts";
import { removed } from "./facts/removed.ts";
import { API } from "./kernel/mod.ts";

/** What an error message of a driver sounds like. */
const COMPLAINS =
  /\b(?:fail\w*|cannot|can't|can not|unable|error|no suitable|no (?:usable )?dma|not? (?:usable|available|support\w*))\b/i;

export default defineRule({
  id: "dma-mask-unchecked",
  since: "0.1.0",
  code: "E06",
  severity: "warning",
  confidence: "medium",
  category: "error-check",
  scope: "function",
  summary: "the answer of dma_set_mask() is thrown away or taken the wrong way round",
  why:
    `\`dma_set_mask()\` and its kin return 0 when the device can do DMA with that mask. "You must not use DMA on this
device unless the dma_set_mask family of functions has returned success", says dma-api-howto.rst. They fail when the
mask covers less than the memory that the platform can offer, which takes a mask below 32 bits, and whenever the device
has no DMA at all: a platform device without a \`dma_mask\` pointer, a device that firmware keeps from DMA. Then every
mapping that follows is undefined.

A mask of 32 bits or more on an ordinary bus does not fail, so that new code without the check gets a hint only. A patch
that takes an existing check away is another matter.`,
  limits: "A mask that comes from a variable is taken for one of 32 bits or more.",
  unless: "the device sits on a bus that sets up DMA for every device, and the mask has 32 bits or more",
  sources: [
    "Documentation/core-api/dma-api-howto.rst: DMA addressing capabilities",
    "kernel/dma/mapping.c: dma_set_mask(), dma_supported()",
  ],
  messages: {
    removed: "the patch drops the check of {callee}(): DMA must not be used unless it returned 0",
    small: "the result of {callee}() is thrown away, and a mask of {bits} bits can fail",
    ignored: "the result of {callee}() is thrown away",
    pointer:
      "`{place}` is set up by the bus: drivers call dma_set_mask(), or dma_coerce_mask_and_coherent() where no bus did",
    half:
      "{was}() set both masks and {callee}() sets only the {one} one: the {other} mask stays what it was, 32 bits unless set",
    one:
      "{callee}() sets the {one} mask only, and the driver does {other} DMA as well: that keeps to the default of 32 bits",
    inverted:
      "{callee}() returns 0 on success: this is the branch of the success, and it is written for the failure",
  },
  bad: [
    {
      title: "the branch of the success fails, or complains",
      patch: String.raw`
+static int foo_probe(struct pci_dev *pdev)
+{
+	if (!dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64))) /* want: inverted */
+		return -EINVAL;
+	return foo_init(pdev);
+}
+
+static int baz_probe(struct pci_dev *pdev)
+{
+	int ret = 0;
+
+	if (!dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64))) { /* want: inverted */
+		ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(32));
+		if (ret)
+			return ret;
+	}
+	return baz_init(pdev);
+}
+
+static int bar_probe(struct pci_dev *pdev)
+{
+	if (!dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(40))) /* want: inverted */
+		dev_warn(&pdev->dev, "Failed to set DMA mask\n");
+	return bar_init(pdev);
+}`,
    },
    {
      title: "the patch turns the test around",
      patch: String.raw`
@@ static int foo_probe(struct pci_dev *pdev)
-	if (dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64))) {
+	if (!dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64))) { /* want: inverted */
 		foo_release(pdev);
 		goto out;
 	}`,
    },
    {
      title: "one of two masks is left out",
      patch: String.raw`
 static int foo_probe(struct pci_dev *pdev)
 {
 	int ret;

-	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
+	ret = dma_set_coherent_mask(&pdev->dev, DMA_BIT_MASK(64)); /* want: half */
 	if (ret)
 		return ret;
 	return foo_start(pdev);
 }`,
    },
    {
      title: "a new driver that forgets one of them",
      patch: String.raw`
+static int foo_probe(struct pci_dev *pdev)
+{
+	struct foo *foo = pci_get_drvdata(pdev);
+
+	if (dma_set_mask(&pdev->dev, DMA_BIT_MASK(40))) /* want: one */
+		return -EIO;
+	foo->ring = dma_alloc_coherent(&pdev->dev, SZ_4K, &foo->ring_dma, GFP_KERNEL);
+	return foo->ring ? 0 : -ENOMEM;
+}`,
    },
    {
      title: "the check goes away",
      patch: String.raw`
 static int foo_probe(struct platform_device *pdev)
 {
 	int ret;

-	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(40));
-	if (ret)
-		return ret;
+	dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(40)); /* want: removed */

 	return foo_init(pdev);
 }`,
    },
    {
      title: "an ISA device",
      patch: String.raw`
+static void foo_init(struct foo *foo)
+{
+	dma_set_mask(foo->dev, DMA_BIT_MASK(24)); /* want: small */
+	foo_alloc(foo);
+}`,
    },
    {
      title: "new code that does not ask",
      patch: String.raw`
+static int foo_probe(struct pci_dev *pdev)
+{
+	dma_set_coherent_mask(&pdev->dev, DMA_BIT_MASK(64)); /* want: ignored */
+	return foo_init(pdev);
+}`,
    },
    {
      title: "the mask pointer by hand",
      patch: String.raw`
+static int foo_probe(struct platform_device *pdev)
+{
+	pdev->dev.dma_mask = &foo_dma_mask; /* want: pointer */
+	return foo_init(pdev);
+}`,
    },
    {
      title: "the wrong way round",
      patch: String.raw`
+static int foo_probe(struct pci_dev *pdev)
+{
+	int err;
+
+	err = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
+	if (!err) { /* want: inverted */
+		pci_err(pdev, "DMA mask failed\n");
+		return err;
+	}
+	return foo_init(pdev);
+}`,
    },
  ],
  good: [
    {
      title: "a second mask that nobody asked about before",
      patch: String.raw`
@@ static int foo_probe(struct pci_dev *pdev)
-	if (!dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64)))
+	if (dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64)))
 		dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(32)); /* ok: removed */
 	foo_go(pdev);`,
    },
    {
      title: "the patch sets it right, or changes the branch with it",
      patch: String.raw`
@@ static int foo_probe(struct pci_dev *pdev)
-	if (!dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64))) {
+	if (dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64))) { /* ok: inverted */
 		foo_release(pdev);
 		goto out;
 	}
@@ static int bar_probe(struct pci_dev *pdev)
-	if (dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64)))
-		bar->is_narrow = true;
+	if (!dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64))) /* ok: inverted */
+		bar->is_wide = true;
 	bar_go(bar);`,
    },
    {
      title: "a new driver with one kind of DMA, or with the default of 32 bits",
      patch: String.raw`
+static int foo_probe(struct pci_dev *pdev)
+{
+	struct foo *foo = pci_get_drvdata(pdev);
+
+	if (dma_set_coherent_mask(&pdev->dev, DMA_BIT_MASK(40))) /* ok: one */
+		return -EIO;
+	foo->ring = dma_alloc_coherent(&pdev->dev, SZ_4K, &foo->ring_dma, GFP_KERNEL);
+	return foo->ring ? 0 : -ENOMEM;
+}`,
    },
    {
      title: "both masks, one by one",
      patch: String.raw`
 static int foo_probe(struct pci_dev *pdev)
 {
 	int ret;

-	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
+	ret = dma_set_mask(&pdev->dev, DMA_BIT_MASK(64)); /* ok: half */
+	if (ret)
+		return ret;
+	ret = dma_set_coherent_mask(&pdev->dev, DMA_BIT_MASK(32)); /* ok: half */
 	if (ret)
 		return ret;
 	return foo_start(pdev);
 }`,
    },
    {
      title: "checked",
      patch: String.raw`
+static int foo_probe(struct pci_dev *pdev)
+{
+	int err = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64)); /* ok: ignored, inverted */
+
+	if (err)
+		return dev_err_probe(&pdev->dev, err, "DMA mask failed\n");
+	return foo_init(pdev);
+}`,
    },
    {
      title: "64 bits, and 32 if that fails",
      patch: String.raw`
+static int foo_probe(struct pci_dev *pdev)
+{
+	if (!dma_set_mask(&pdev->dev, DMA_BIT_MASK(64))) { /* ok: inverted */
+		pci_dbg(pdev, "64 bits\n");
+	} else if (dma_set_mask(&pdev->dev, DMA_BIT_MASK(32))) {
+		pci_err(pdev, "DMA mask failed\n");
+		return -EIO;
+	}
+	return 0;
+}`,
    },
    {
      title: "a bus makes the device, or a glue driver a child",
      patch: String.raw`
+static void foo_add(struct foo_bus *bus, struct foo_device *foo)
+{
+	foo->dev.parent = bus->parent;
+	foo->dev.dma_mask = bus->parent->dma_mask; /* ok: pointer */
+	device_register(&foo->dev);
+}
+
+static int foo_add_child(struct foo *foo)
+{
+	struct platform_device *child = platform_device_alloc("foo-child", -1);
+
+	if (!child)
+		return -ENOMEM;
+	child->dev.parent = foo->dev;
+	child->dev.dma_mask = &foo->dma_mask; /* ok: pointer */
+	return platform_device_add(child);
+}`,
    },
    {
      title: "another mask, still unchecked",
      patch: String.raw`
 static int foo_probe(struct pci_dev *pdev)
 {
-	dma_set_mask(&pdev->dev, DMA_BIT_MASK(36));
+	dma_set_mask(&pdev->dev, DMA_BIT_MASK(40)); /* ok: removed, ignored */
 	return foo_init(pdev);
 }`,
    },
  ],
  *check(fn, use) {
    if (isTest(fn.file)) return;
    const values = use(flow, fn);
    for (const { target, value, place } of values.stores) {
      if (
        !("kind" in target) || target.kind !== "member" || target.field !== "dma_mask" ||
        MAKERS.test(fn.file.path)
      ) {
        continue;
      }
      // &dev->coherent_dma_mask is what dma_coerce_mask_and_coherent() sets: nothing is wrong with the result.
      const isOwn = value.kind === "unary" && value.op === "&" &&
        !(value.operand.kind === "member" && value.operand.field === "coherent_dma_mask");
      const isCopy = value.kind === "member" && value.field === "dma_mask";
      if (!/(?:^|[.>])\w*dev(?:->|\.)dma_mask$/.test(place) || !(isOwn || isCopy)) continue;
      if (isMadeHere(place.replace(/(?:->|\.)dma_mask$/, ""), values)) continue;
      yield {
        at: target,
        say: "pointer",
        with: { place: fn.file.textOf(target) },
        because: [{
          at: value,
          note: isCopy ? "two devices share one mask from here on" : "memory of the driver's own",
        }],
        unless: "the file makes the device itself and nobody else sets up its DMA",
        severity: "note",
        subject: place,
      };
    }
    for (const { call, api, node } of values.calls) {
      if (api === null || api.role !== "mask" || api.returns !== "errno") continue;
      if (API.get(call.name)?.removed != null) continue;
      const half = HALF.get(call.name);
      if (half !== undefined && formerCall(fn.file, call, half.was) !== null) {
        const other = half.other === "streaming"
          ? /_set_(?:dma_)?mask\b|mask_and_coherent/
          : /_set_co\w+_mask\b|mask_and_coherent/;
        if (!other.test(linesOf(fn.file, "added"))) {
          yield {
            at: call,
            say: "half",
            with: { callee: call.name, was: half.was, one: half.one, other: half.other },
            unless: `the device has no ${half.other} DMA`,
            wanted: `${half.was}(${call.args.map((arg) => fn.file.textOf(arg)).join(", ")})`,
            subject: `${call.name} ${half.was}`,
          };
        }
      }
      const mask = call.args[1];
      const lone = LONE.get(call.name);
      const width = mask === undefined ? null : bitsOf(mask);
      if (
        lone !== undefined && width !== null && width !== 32 && isAllShown(fn.file) &&
        mentioned(fn.file, lone.uses) && !mentioned(fn.file, lone.sets)
      ) {
        yield {
          at: call,
          say: "one",
          with: { callee: call.name, one: lone.one, other: lone.other },
          unless: `the ${lone.other} mask is set in another file`,
          wanted: `dma_set_mask_and_coherent(${call.args.map((arg) => fn.file.textOf(arg)).join(", ")})`,
          // Otherwise it works, with coherent memory from below 4 GiB.
          severity: width < 32 ? "error" : "note",
          subject: `${call.name} one`,
        };
      }
      if (node.kind === "expr" && node.expr !== null && asCall(node.expr) === call && !isVoid(node.expr)) {
        const bits = mask === undefined ? null : bitsOf(mask);
        const isSmall = bits !== null && bits < 32;
        // A line that stays as it is had no result to ask about before.
        const isDropped = fn.file.isChanged(call) &&
          wasChecked(use(removed, fn.file).near(call, 12), call.name);
        yield {
          at: call,
          say: isDropped ? "removed" : isSmall ? "small" : "ignored",
          with: { callee: call.name, bits: String(bits ?? "") },
          wanted: `ret = ${call.name}(…); if (ret) return ret;`,
          ...(isDropped || isSmall ? {} : { severity: "note" as const, confidence: "low" as const }),
          subject: call.name,
        };
        continue;
      }
      const wrong = inverted(node, call, values, fn);
      if (wrong === null) continue;
      yield {
        at: wrong.test.at,
        say: "inverted",
        with: { callee: call.name },
        because: [{ at: call, note: "0 when the mask is usable" }, wrong.because],
        severity: "error",
        unless: "the branch is not about the mask",
        subject: `${call.name} ${fn.file.textOf(wrong.test.at)}`,
      };
    }
  },
});

/** Calls that set one of the two masks that another one sets both of. */
const HALF = new Map([
  ["dma_set_coherent_mask", { was: "dma_set_mask_and_coherent", one: "coherent", other: "streaming" }],
  ["dma_set_mask", { was: "dma_set_mask_and_coherent", one: "streaming", other: "coherent" }],
]);

/** The masks that a new driver may set alone, what tells that it needs the other, and what sets that. */
const LONE = new Map([
  ["dma_set_mask", {
    one: "streaming",
    other: "coherent",
    uses: /\bdmam?_alloc_(?:coherent|attrs|wc)\s*\(|\bdmam?_pool_create\s*\(/,
    // A fallback to 32 bits says that the author has thought of it.
    sets: /dma_set_coherent_mask|mask_and_coherent|coherent_dma_mask|DMA_BIT_MASK\(32\)/,
  }],
  ["dma_set_coherent_mask", {
    one: "coherent",
    other: "streaming",
    uses: /\bdma_map_(?:single|page|sg|sgtable|phys)\w*\s*\(/,
    sets: /dma_set_mask|mask_and_coherent|\bdma_mask\b|DMA_BIT_MASK\(32\)/,
  }],
]);

/** Whether the function makes the device itself: there is no bus that could have set the mask up. */
function isMadeHere(device: string, values: Flow): boolean {
  return values.stores.some(({ place }) =>
    place.startsWith(device) &&
    /^(?:->|\.)(?:parent|bus|type|class|release|groups)$/.test(place.slice(device.length))
  ) || values.calls.some(({ call }) =>
    /^(?:device_(?:initialize|register|add)|platform_device_(?:alloc|register|add)\w*|device_set_of_node_from_dev)$/
      .test(call.name) &&
    call.args[0] !== undefined &&
    values.canonical(call.args[0]).replace(/^&/, "") === device.replace(/^&/, "")
  );
}

/** Where devices are made: there the pointer has to be set. */
const MAKERS =
  /^(?:arch|drivers\/(?:acpi|amba|base|bus|cdx|dio|eisa|fsi|gpu\/host1x|hv|mcb|mfd|of|parisc|pci|pcmcia|platform|pnp|rapidio|s390|sbus|soundwire|ssb|bcma|usb\/core|virtio|xen|zorro)|include|kernel|sound\/soc\/soc-\w+)\//;

/** `(void)dma_set_mask()`: the author knows. */
const isVoid = (expr: Expr) => expr.kind === "cast" && expr.type === "void";

function bitsOf(mask: Expr): number | null {
  if (mask.kind !== "call" || mask.name !== "DMA_BIT_MASK") return null;
  const [bits] = mask.args;
  return bits?.kind === "number" && bits.value !== null ? Number(bits.value) : null;
}

/** Whether the lines that the patch removes around here test the same call. */
function wasChecked(gone: readonly string[], callee: string): boolean {
  return /(?:\w\s*=|if\s*\(.*)\s*(?:pci_|dma_)\w*mask\w*\(/.test(gone.join("\n")) &&
    gone.some((line) => line.includes(callee.replace(/^dma_|_and_coherent$/g, ""))) &&
    gone.some((line) => /\bif\s*\(/.test(line));
}

/** The test whose success branch complains and leaves; null when there is none. */
function inverted(
  node: CfgNode,
  call: Expr,
  values: Flow,
  fn: FunctionView,
): { test: CfgNode; because: Because } | null {
  const store = values.stores.find((s) => s.node === node && s.op === "=" && asCall(s.value) === call);
  const isResult = (expr: Expr | null) =>
    expr !== null && (asCall(expr) === call ||
      (store !== undefined && expr.kind === "ident" && expr.name === store.place));
  const test = node.kind === "test" && isResult(node.expr)
    ? node
    : store === undefined
    ? null
    : search(node, (next) =>
      next.kind === "test" && isResult(next.expr) ? "hit" : next.kind === "join" ? "go" : "stop")
      .hit;
  const success = test?.succ.find((edge) => edge.when === false);
  if (test == null || success === undefined) return null;
  if (isDenied(test.at, fn.file)) {
    return { test, because: { at: test.at, note: "the line before asked the right way round" } };
  }
  const done = ({ at }: CfgNode): Because => ({ at, note: "what happens on success" });
  const after = test.succ.find((edge) => edge !== success)?.to;
  // `if (!ret) { complain; return ret; }`: nothing but a complaint and the way out.
  let complaint: CfgNode | null = null;
  for (
    let at: CfgNode | undefined = success.to;
    at !== undefined;
    at = at.succ.length === 1 ? at.succ[0]!.to : undefined
  ) {
    if (
      at.kind === "expr" && at.expr?.kind === "call" && /_(?:err|error|warn)\w*$|^printk$/.test(at.expr.name)
    ) {
      if (COMPLAINS.test(fn.file.textOf(at.at))) complaint ??= at;
      continue;
    }
    const again = at.expr === null ? null : asCall(at.expr.kind === "assign" ? at.expr.value : at.expr);
    if (isFallback(call, again)) return { test, because: done(at) };
    // The branch was the complaint alone.
    if (complaint !== null && (at.kind === "join" || at === after)) return { test, because: done(complaint) };
    if (at.kind === "join") continue;
    if (at.kind !== "return" || at.expr === null) return null;
    // An error code that says itself that it is one needs no complaint.
    const isError = /^-E[A-Z]+$/.test(fn.file.textOf(at.expr));
    return isError || (complaint !== null && isFailure(at.expr, isResult))
      ? { test, because: done(complaint ?? at) }
      : null;
  }
  return null;
}

/** Whether a call sets the same mask with fewer bits: what is done when the first one fails. */
function isFallback(first: Expr, again: Expr | null): boolean {
  if (first.kind !== "call" || again?.kind !== "call" || again.name !== first.name) return false;
  const [wide, narrow] = [first, again].map(({ args }) => args[1] === undefined ? null : bitsOf(args[1]));
  return wide != null && narrow != null && narrow < wide;
}

function isFailure(expr: Expr | null, isResult: (expr: Expr | null) => boolean): boolean {
  if (isResult(expr)) return true;
  return expr?.kind === "unary" && expr.op === "-" && expr.operand.kind === "ident" &&
    /^E[A-Z0-9]+$/.test(expr.operand.name);
}
