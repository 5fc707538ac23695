/**
 * E01: the result of a mapping is used though nobody asked whether it failed, or though it did.
 *
 * @module
 */

import { type Call, type Expr, type Stmt, walkExpr, walkStmt } from "./engine/ast.ts";
import { type CfgNode, type Edge, search } from "./engine/cfg.ts";
import { defineRule, type Draft, type FunctionView, type Use } from "./engine/rule.ts";
import { type Flow, flow, general, lastName } from "./facts/flow.ts";
import { type Handling, handling, type Mapping, resultOf, type Use_ } from "./facts/mappings.ts";
import { consistent, type FailureEdge, failures } from "./facts/failure.ts";
import { goneChecks } from "./facts/gone_check.ts";
import { misdirectedCheck } from "./facts/misdirected.ts";
import { isImplementation } from "./facts/place.ts";
import { removed } from "./facts/removed.ts";
import { API } from "./kernel/mod.ts";

/** Functions that only say that something went wrong. */
const PRINTS =
  /^(?:(?:dev|netdev|netif|pr|drm|pci|ibdev|net|v4l2|hid|ata|sdev|bnx2x?|mlx\w+)_(?:err|warn|info|notice|dbg|alert|crit|emerg)\w*|printk\w*|DRM_(?:DEV_)?(?:ERROR|DEBUG|WARN)\w*|WARN(?:_ON)?(?:_ONCE)?|dump_stack|\w*_(?:err|warn|dbg|debug|log))$/;
/** Functions that may ask for us when they get the address, or what holds it. */
const ASKS = /check|valid|err(?:or)?(?:$|_)|fail|is_ok|map_ok/i;
/** Functions whose names speak of errors and that ask nothing about another field of the object. */
const SPEAKS = /^(?:IS_ERR|PTR_ERR|ERR_PTR|ERR_CAST|dev_err_probe)|_(?:err|warn|info|dbg)$/;
/** Words in the failing branch that say that the driver does without DMA. */
const FALLBACK = /\bPIO\b|fall(?:ing)?[- ]?back|instead|without dma|bounce/i;

export default defineRule({
  id: "dma-mapping-unchecked",
  since: "0.1.0",
  code: "E01",
  severity: "warning",
  confidence: "high",
  category: "error-check",
  scope: "function",
  words: [
    "dma_map",
    "dma_alloc",
    "dmam_alloc",
    "dma_zalloc",
    "dma_pool_",
    "pci_map_",
    "pci_alloc_",
    "alloc_coherent",
    "p2pmem",
  ],
  summary: "the result of a mapping is used without asking dma_mapping_error(), or although it said no",
  why:
    `Mapping fails for real: no IOVA is left, swiotlb is full, the memory lies beyond the device's mask. What comes back
then is \`DMA_MAPPING_ERROR\`, all ones, which looks like any other address and is one for the device: it reads from or
writes to the top of its address space. \`CONFIG_DMA_API_DEBUG\` reports a mapping that was released unchecked, but only
where it is switched on and only at the unmap.

A check that does not change what happens next is none: the path on which the mapping failed must not reach the use of
the address, and must not tell the caller that all is well.`,
  limits:
    `Only paths that the patch shows from the mapping to the use, the unmap or the end of the function count. A
helper that gets the object and whose name speaks of checking is trusted.`,
  unless: "the caller or a helper out of sight tests the address before the device gets it",
  sources: [
    "Documentation/core-api/dma-api-howto.rst: Handling Errors",
    "Documentation/core-api/dma-api.rst: dma_mapping_error()",
    "kernel/dma/debug.c: check_unmap(): device driver failed to check map error",
  ],
  messages: {
    unchecked: "the result of {map}() is not tested with {check}({device}, {handle}) before it is used",
    null: "nobody tests whether {map}() returned NULL before `{handle}` is used",
    ignored: "{check}() tells that {map}() failed, and `{handle}` is used nevertheless",
    success: "{map}() failed, and {function}() returns 0 as if it had not",
    removed: "the patch takes away the test of `{handle}`, and the mapping above it stays",
    forgotten: "the mapping failed here, and the patch takes away what set `{code}` to an error for it",
  },
  bad: [
    {
      title: "the patch takes away the test of the memory",
      patch: String.raw`
@@ static int foo_alloc(struct foo *foo)
 	foo->ring = dma_alloc_coherent(foo->dev, FOO_RING, &foo->dma, GFP_KERNEL); /* want: null */
-	if (!foo->ring)
-		return -ENOMEM;
 
 	foo->mask = foo->slots - 1;`,
    },
    {
      title: "the patch takes away the check of a mapping that begins above the hunk",
      patch: String.raw`
@@ static int foo_fill(struct foo *foo, struct sk_buff *skb)
 				       skb->len + skb_tailroom(skb), /* want: removed */
 				       DMA_FROM_DEVICE);
 
-		if (unlikely(dma_mapping_error(foo->dev, paddr))) {
-			dev_kfree_skb_any(skb);
-			goto fail;
-		}
 
 		rxcb = FOO_RXCB(skb);
 		rxcb->paddr = paddr;`,
    },
    {
      title: "the patch takes away the check of what a helper mapped",
      patch: String.raw`
@@ static int foo_rx(struct foo *foo, struct sk_buff *skb)
 	addr = foo_dma_map_rx(foo, skb); /* want: removed */
-	if (dma_mapping_error(foo->dev, addr)) {
-		foo->dropped++;
-		return -ENOMEM;
-	}
 
 	foo_put(foo, addr);`,
    },
    {
      title: "straight into a register",
      patch: String.raw`
+static int foo_start(struct foo *foo)
+{
+	dma_addr_t addr;
+
+	addr = dma_map_single(foo->dev, foo->buf, foo->len, DMA_TO_DEVICE); /* want: unchecked */
+	writel(lower_32_bits(addr), foo->regs + FOO_LO);
+	writel(upper_32_bits(addr), foo->regs + FOO_HI);
+	return 0;
+}`,
    },
    {
      title: "a helper maps and leaves the question to its caller",
      patch: String.raw`
+static dma_addr_t foo_map(struct foo *foo, void *buf, size_t n)
+{
+	return dma_map_single(foo->dev, buf, n, DMA_TO_DEVICE);
+}
+
+static void foo_send(struct foo *foo, void *buf, size_t n)
+{
+	dma_addr_t addr = foo_map(foo, buf, n); /* want: unchecked */
+
+	writel(lower_32_bits(addr), foo->regs + FOO_LO);
+}`,
    },
    {
      title: "kept in a descriptor and never looked at",
      patch: String.raw`
+static void foo_fill(struct foo *foo, struct foo_desc *desc, struct page *page)
+{
+	desc->addr = cpu_to_le64(dma_map_page(foo->dev, page, 0, PAGE_SIZE, DMA_FROM_DEVICE)); /* want: unchecked */
+	desc->len = cpu_to_le32(PAGE_SIZE);
+	wmb();
+	foo_kick(foo);
+}`,
    },
    {
      title: "one of two ways is checked",
      patch: String.raw`
+static int foo_map(struct foo *foo, bool is_read)
+{
+	foo->dma = dma_map_single(foo->dev, foo->buf, foo->len, DMA_BIDIRECTIONAL); /* want: unchecked */
+	if (is_read)
+		goto out;
+	if (dma_mapping_error(foo->dev, foo->dma))
+		return -ENOMEM;
+out:
+	writel(foo->dma, foo->regs);
+	return 0;
+}`,
    },
    {
      title: "the patch takes the check away",
      patch: String.raw`
 static int foo_map(struct foo *foo)
 {
 	foo->dma = dma_map_single(foo->dev, foo->buf, foo->len, DMA_TO_DEVICE); /* want: unchecked */
-	if (dma_mapping_error(foo->dev, foo->dma))
-		return -ENOMEM;
-
 	writeq(foo->dma, foo->regs);
 	return 0;
 }`,
    },
    {
      title: "coherent memory taken for granted",
      patch: String.raw`
+static int foo_init(struct foo *foo)
+{
+	foo->ring = dmam_alloc_coherent(foo->dev, FOO_RING, &foo->ring_dma, GFP_KERNEL); /* want: null */
+	foo_setup(foo->regs);
+	return 0;
+}`,
    },
    {
      title: "the check goes away, though the lines in between are not shown",
      patch: String.raw`
@@ static int foo_map(struct foo *foo)
 	foo->dma = dma_map_single(foo->dev, foo->buf, foo->len, DMA_TO_DEVICE); /* want: unchecked */
-	if (dma_mapping_error(foo->dev, foo->dma))
-		return -ENOMEM;
 
@@ static int foo_map(struct foo *foo)
 	foo->count++;
+	foo->time = 0;
 	return 0;
 }`,
    },
    {
      title: "the failure is logged and that is all",
      patch: String.raw`
+static void foo_start(struct foo *foo)
+{
+	dma_addr_t addr = dma_map_single(foo->dev, foo->buf, foo->len, DMA_TO_DEVICE);
+
+	if (dma_mapping_error(foo->dev, addr)) /* want: ignored */
+		dev_err(foo->dev, "cannot map\n");
+	foo->addr = addr;
+	writeq(addr, foo->regs);
+}`,
    },
    {
      title: "the error code is forgotten on the way out",
      patch: String.raw`
+static int foo_start(struct foo *foo)
+{
+	int ret;
+
+	ret = foo_enable(foo);
+	if (ret)
+		return ret;
+	foo->dma = dma_map_single(foo->dev, foo->buf, foo->len, DMA_TO_DEVICE);
+	if (dma_mapping_error(foo->dev, foo->dma)) /* want: success */
+		goto disable;
+	return foo_run(foo);
+
+disable:
+	foo_disable(foo);
+	return ret;
+}`,
    },
    {
      title: "the patch forgets the error code",
      patch: String.raw`
@@ static int foo_start(struct foo *foo)
 	foo->dma = dma_map_single(foo->dev, foo->buf, foo->len, DMA_TO_DEVICE);
 	if (dma_mapping_error(foo->dev, foo->dma)) { /* want: forgotten */
 		dev_err(foo->dev, "cannot map\n");
-		ret = -ENOMEM;
 		goto disable;
 	}
 	foo_run(foo);`,
    },
    {
      title: "declared and mapped in one, where the check was",
      patch: String.raw`
@@ static int foo_start(struct foo *foo)
 	struct foo_desc *desc = foo->desc;
-	dma_addr_t addr;
 	int ret;

-	addr = dma_map_single(foo->dev, desc, sizeof(*desc), DMA_TO_DEVICE);
-	ret = dma_mapping_error(foo->dev, addr);
-	if (ret)
-		return ret;
+	dma_addr_t addr = dma_map_single(foo->dev, desc, sizeof(*desc), DMA_TO_DEVICE); /* want: unchecked */

 	ret = foo_enable(foo);`,
    },
    {
      title: "peer memory that may have run out",
      patch: String.raw`
+static int foo_cmb(struct foo *foo, struct pci_dev *pdev)
+{
+	foo->sq = pci_alloc_p2pmem(pdev, FOO_SIZE); /* want: null */
+	foo->sq_bus = pci_p2pmem_virt_to_bus(pdev, foo->sq);
+	return 0;
+}`,
    },
  ],
  good: [
    {
      title: "the error code is set elsewhere now",
      patch: String.raw`
@@ static int foo_start(struct foo *foo)
+	ret = -ENOMEM;
 	foo->dma = dma_map_single(foo->dev, foo->buf, foo->len, DMA_TO_DEVICE);
 	if (dma_mapping_error(foo->dev, foo->dma)) { /* ok: forgotten */
-		ret = -ENOMEM;
 		goto disable;
 	}
 	foo_run(foo);
@@ static int foo_stop(struct foo *foo)
 	foo->dma = dma_map_single(foo->dev, foo->buf, foo->len, DMA_TO_DEVICE);
-	if (dma_mapping_error(foo->dev, foo->dma)) {
-		ret = -ENOMEM;
-		goto disable;
-	}
+	if (dma_mapping_error(foo->dev, foo->dma)) /* ok: forgotten */
+		return -ENOMEM;
 	foo_run(foo);`,
    },
    {
      title: "peer memory is asked for, and then used",
      patch: String.raw`
+static int foo_cmb(struct foo *foo, struct pci_dev *pdev)
+{
+	foo->sq = pci_alloc_p2pmem(pdev, FOO_SIZE); /* ok: null */
+	if (!foo->sq)
+		return -ENOMEM;
+	foo->sq_bus = pci_p2pmem_virt_to_bus(pdev, foo->sq);
+	return 0;
+}`,
    },
    {
      title: "checked at once",
      patch: String.raw`
+static int foo_start(struct foo *foo)
+{
+	foo->dma = dma_map_single(foo->dev, foo->buf, foo->len, DMA_TO_DEVICE); /* ok: unchecked */
+	if (dma_mapping_error(foo->dev, foo->dma))
+		return -ENOMEM;
+	writeq(foo->dma, foo->regs);
+	return 0;
+}`,
    },
    {
      title: "stored before it is checked, and two at a time",
      patch: String.raw`
+static int foo_start(struct foo *foo, struct foo_desc *desc)
+{
+	dma_addr_t src = dma_map_single(foo->dev, foo->src, foo->len, DMA_TO_DEVICE); /* ok: unchecked */
+	dma_addr_t dst = dma_map_single(foo->dev, foo->dst, foo->len, DMA_FROM_DEVICE); /* ok: unchecked */
+
+	desc->src = cpu_to_le64(src);
+	desc->dst = cpu_to_le64(dst);
+	if (dma_mapping_error(foo->dev, src) || dma_mapping_error(foo->dev, dst))
+		return -ENOMEM;
+	foo_kick(foo);
+	return 0;
+}`,
    },
    {
      title: "a wrapper gives it to its caller",
      patch: String.raw`
+static dma_addr_t foo_map(struct foo *foo, void *buf)
+{
+	return dma_map_single(foo->dev, buf, foo->len, DMA_TO_DEVICE); /* ok: unchecked */
+}
+
+static int foo_map_to(struct foo *foo, dma_addr_t *addr)
+{
+	*addr = dma_map_single(foo->dev, foo->buf, foo->len, DMA_TO_DEVICE); /* ok: unchecked */
+	return dma_mapping_error(foo->dev, *addr);
+}`,
    },
    {
      title: "a second loop looks at all of them",
      patch: String.raw`
+static int foo_map(struct foo *foo)
+{
+	int i;
+
+	for (i = 0; i < foo->n; i++)
+		foo->dma[i] = dma_map_single(foo->dev, foo->buf[i], foo->len, DMA_TO_DEVICE); /* ok: unchecked */
+	for (i = 0; i < foo->n; i++)
+		if (dma_mapping_error(foo->dev, foo->dma[i]))
+			return -ENOMEM;
+	return 0;
+}`,
    },
    {
      title: "the check may stand in lines that are not shown",
      patch: String.raw`
@@ static int foo_map(struct foo *foo)
+	foo->dma = dma_map_single(foo->dev, foo->buf, foo->len, DMA_TO_DEVICE); /* ok: unchecked */
 
@@ static int foo_map(struct foo *foo)
+	writeq(foo->dma, foo->regs);
 	return 0;
 }`,
    },
    {
      title: "a macro whose value is the pointer",
      patch: String.raw`
+#define FOO_ALLOC(foo, handle, size) \
+({ \
+	void *x = dma_alloc_coherent((foo)->dev, size, handle, GFP_KERNEL); /* ok: null */ \
+	if (x) \
+		foo_note(foo, x); \
+	x; \
+})`,
    },
    {
      title: "coherent memory is tested by its pointer",
      patch: String.raw`
+static int foo_init(struct foo *foo)
+{
+	foo->ring = dma_alloc_coherent(foo->dev, FOO_RING, &foo->ring_dma, GFP_KERNEL); /* ok: null */
+	return foo->ring ? 0 : -ENOMEM;
+}
+
+static void *foo_alloc(struct foo *foo)
+{
+	void *ring = dma_alloc_coherent(foo->dev, FOO_RING, &foo->ring_dma, GFP_KERNEL); /* ok: null */
+
+	foo->count++;
+	return ring;
+}`,
    },
    {
      title: "an address that is read back is no mapping",
      patch: String.raw`
@@ static void foo_unmap(struct foo *foo, struct foo_sqe *sqe)
 	addr = le64_to_cpu(sqe->in); /* ok: removed */
-	if (dma_mapping_error(foo->dev, addr))
-		return;
 
 	foo_release(foo, addr);`,
    },
    {
      title: "the check behind a mapping that begins above the hunk is another one now, or stands elsewhere",
      patch: String.raw`
@@ static int foo_fill(struct foo *foo, struct sk_buff *skb)
 				       skb->len, /* ok: removed */
 				       DMA_FROM_DEVICE);
-	if (dma_mapping_error(foo->dev, paddr))
+	if (foo_is_bad(foo, paddr))
 		return -ENOMEM;
 
 	foo->paddr = paddr;
@@ static int foo_send(struct foo *foo, struct sk_buff *skb)
 			    skb->len, /* ok: removed */
 			    DMA_TO_DEVICE);
-	if (dma_mapping_error(foo->dev, addr))
-		return -ENOMEM;
 
 	foo->tx++;
+	if (dma_mapping_error(foo->dev, addr))
+		return -ENOMEM;
 	foo_kick(foo, addr);`,
    },
    {
      title: "a helper checks",
      patch: String.raw`
+static int foo_start(struct foo *foo)
+{
+	foo->dma = dma_map_single(foo->dev, foo->buf, foo->len, DMA_TO_DEVICE); /* ok: unchecked */
+	if (foo_mapping_failed(foo))
+		return -ENOMEM;
+	writeq(foo->dma, foo->regs);
+	return 0;
+}`,
    },
    {
      title: "a helper asks about the address that it is given",
      patch: String.raw`
+static int foo_set(struct foo *foo, struct foo_desc *desc, dma_addr_t addr)
+{
+	if (unlikely(dma_mapping_error(foo->dev, addr)))
+		return -ENOMEM;
+	desc->addr = cpu_to_le64(addr);
+	return 0;
+}
+
+static int foo_set_long(struct foo *foo, struct foo_desc *desc, dma_addr_t addr, size_t len)
+{
+	desc->len = cpu_to_le32(len);
+	return foo_set(foo, desc, addr);
+}
+
+static int foo_start(struct foo *foo, struct foo_desc *desc)
+{
+	dma_addr_t addr = dma_map_single(foo->dev, foo->buf, foo->len, DMA_TO_DEVICE); /* ok: unchecked */
+
+	return foo_set_long(foo, desc, addr, foo->len);
+}`,
    },
    {
      title: "through a pointer to the pointer, and a count that the caller gets",
      patch: String.raw`
+static int foo_alloc(struct foo *foo)
+{
+	u32 **ring = &foo->info.ring;
+
+	*ring = dma_alloc_coherent(foo->dev, FOO_RING, &foo->info.dma, GFP_KERNEL); /* ok: null */
+	if (!*ring)
+		return -ENOMEM;
+	return 0;
+}
+
+static int foo_refill(struct foo *foo)
+{
+	int count = 0;
+
+	while (count < foo->n) {
+		dma_addr_t dma = dma_map_single(foo->dev, foo->buf[count], foo->len, DMA_FROM_DEVICE);
+
+		if (dma_mapping_error(foo->dev, dma)) /* ok: success */
+			break;
+		foo_add(foo, dma);
+		count++;
+	}
+	return count;
+}`,
    },
    {
      title: "the failure is remembered, or the packet dropped",
      patch: String.raw`
+static netdev_tx_t foo_xmit(struct sk_buff *skb, struct net_device *ndev)
+{
+	struct foo *foo = netdev_priv(ndev);
+	dma_addr_t addr = dma_map_single(foo->dev, skb->data, skb->len, DMA_TO_DEVICE);
+
+	if (dma_mapping_error(foo->dev, addr)) { /* ok: success, ignored */
+		dev_kfree_skb_any(skb);
+		return NETDEV_TX_OK;
+	}
+	foo_queue(foo, addr);
+	return NETDEV_TX_OK;
+}`,
    },
    {
      title: "the driver goes on without DMA",
      patch: String.raw`
+static int foo_setup(struct foo *foo)
+{
+	if (!foo->buf)
+		return -EINVAL;
+	foo->dma = dma_map_single(foo->dev, foo->buf, foo->len, DMA_TO_DEVICE);
+	if (dma_mapping_error(foo->dev, foo->dma)) { /* ok: success */
+		foo->use_dma = false;
+		return 0;
+	}
+	foo->use_dma = true;
+	return 0;
+}`,
    },
  ],
  *check(fn, use) {
    if (isImplementation(fn.file)) return;
    const values = use(flow, fn);
    const all = use(handling, fn);
    for (const mapping of all.mappings) {
      if (mapping.api.role === "alloc" && mapping.api.failure === "null") {
        // Asked in the wrong place: dma-mapping-wrong-test says so.
        const isMisjudged = all.checks.some((check) => check.handle === mapping.handle);
        const found = isMisjudged ? null : neverNull(fn, mapping, values, use);
        if (found !== null) {
          yield {
            at: mapping.call,
            say: "null",
            with: { map: mapping.call.name, handle: found.pointer },
            because: found.because,
            unless: "a helper out of sight tests the pointer",
            severity: "error",
            confidence: "medium",
            wanted: `if (!${found.pointer}) return -ENOMEM;`,
            subject: `${mapping.call.name} ${found.pointer}`,
          };
        }
        continue;
      }
      if (mapping.api.failure !== "mapping-error") continue;
      const found = unchecked(fn, mapping, all, values, use) ?? takenAway(fn, mapping, use);
      if (found === null) continue;
      yield {
        at: mapping.call,
        say: "unchecked",
        with: {
          map: mapping.call.name,
          check: checkFor(mapping),
          device: deviceText(mapping, fn),
          handle: mapping.handleExpr === null
            ? mapping.handle ?? "the result"
            : fn.file.textOf(mapping.handleExpr),
        },
        because: found.because,
        wanted: `if (${checkFor(mapping)}(${deviceText(mapping, fn)}, ${
          mapping.handleExpr === null ? mapping.handle ?? "addr" : fn.file.textOf(mapping.handleExpr)
        }))`,
        ...(found.isSure ? {} : { confidence: "medium" as const }),
        subject: `${mapping.call.name} ${mapping.handle ?? ""}`,
      };
    }
    yield* takenAwayBehind(fn, all, use);
    for (const { call, api, node } of values.calls) {
      if (api?.returns !== "kva-p2p" || api.role !== "alloc" || api.failure !== "null") continue;
      const used = usedUntested(call, node, values);
      if (used === null) continue;
      yield {
        at: call,
        say: "null",
        with: { map: call.name, handle: used.pointer },
        because: [{ at: used.at, note: "takes the pointer as it is" }],
        unless: "a helper out of sight tests the pointer",
        severity: "error",
        confidence: "medium",
        wanted: `if (!${used.pointer})`,
        subject: `${call.name} ${used.pointer}`,
      };
    }
    for (const failure of use(failures, fn)) {
      if (failure.mapping.api.failure !== "mapping-error" || failure.mapping.handle === null) continue;
      const use_ = usedAnyway(failure, values, all);
      const names = {
        map: failure.mapping.call.name,
        check: checkFor(failure.mapping),
        handle: failure.mapping.handleExpr === null
          ? failure.mapping.handle
          : fn.file.textOf(failure.mapping.handleExpr),
        function: fn.name,
      };
      if (use_ !== null) {
        yield {
          at: failure.test.at,
          say: "ignored",
          with: names,
          because: [
            { at: failure.mapping.call, note: `\`${names.handle}\` is mapped here` },
            { at: use_.at, note: "reached whether or not the mapping failed" },
          ],
          unless: "what follows looks at the address again before the device does",
          confidence: "medium",
          subject: `${names.map} ${failure.mapping.handle}`,
        };
        continue;
      }
      const end = returnsSuccess(fn, failure, values);
      if (end === null) continue;
      yield {
        at: failure.test.at,
        say: "success",
        with: names,
        because: [
          { at: failure.mapping.call, note: `\`${names.handle}\` is mapped here` },
          { at: end.at, note: "returns 0 on the path of the failure" },
        ],
        unless: "the caller can do without the mapping and finds out by itself",
        confidence: "medium",
        subject: `${names.map} ${failure.mapping.handle}`,
      };
    }
    for (const { test, edge } of failingWays(fn, all, use)) {
      const code = codeTakenAway(fn, test, edge, values, use);
      if (code === null) continue;
      yield {
        at: test.at,
        say: "forgotten",
        with: { code },
        because: [{ at: test.at, note: `leaves with what \`${code}\` happens to be` }],
        unless: `\`${code}\` holds an error already when this is reached`,
        confidence: "medium",
        subject: `${fn.file.textOf(test.at)} ${code}`,
      };
    }
  },
});

function checkFor(mapping: Mapping): string {
  return mapping.call.name.startsWith("ib_") ? "ib_dma_mapping_error" : "dma_mapping_error";
}

function deviceText(mapping: Mapping, fn: FunctionView): string {
  return mapping.deviceExpr === null ? "dev" : fn.file.textOf(mapping.deviceExpr);
}

const rootOf = (place: string): string => /[A-Za-z_]\w*/.exec(place)?.[0] ?? "";

/** Top expression of a node. */
const exprOf = (node: CfgNode): Expr | null => node.expr ?? node.decl?.init ?? null;

function some(expr: Expr | null, is: (expr: Expr) => boolean): boolean {
  let found = false;
  if (expr !== null) walkExpr(expr, (inner) => found ||= is(inner));
  return found;
}

interface Unchecked {
  readonly because: readonly { readonly at: { start: number; end: number }; readonly note: string }[];
  readonly isSure: boolean;
}

/** The use, release or exit that is reached from the mapping with nobody asking; null when there is none in sight. */
function unchecked(
  fn: FunctionView,
  mapping: Mapping,
  all: Handling,
  values: Flow,
  use: Use,
): Unchecked | null {
  if (mapping.fate === "nested") {
    const sink = values.calls.find(({ call, api }) =>
      api?.role === "hardware" && api.memory !== null && call.args[api.memory] !== undefined &&
      some(call.args[api.memory]!, (inner) => inner === mapping.call)
    );
    return sink === undefined
      ? null
      : { because: [{ at: sink.call, note: "the device gets what came back" }], isSure: true };
  }
  const { handle } = mapping;
  if (mapping.fate !== "stored" || handle === null) return null;
  const places = new Set([general(handle)]);
  for (const store of values.stores) {
    if (store.origins.some((origin) => origin.expr === mapping.call)) places.add(general(store.place));
  }
  const tails = new Set([...places].map(lastName));
  const roots = new Set([...places].map(rootOf));
  const isOf = (expr: Expr) =>
    values.valueOf(expr).some((origin) => origin.expr === mapping.call) ||
    ((expr.kind === "ident" || expr.kind === "member" || expr.kind === "index") &&
      places.has(general(values.canonical(expr))));
  const isTied = (check: Use_) =>
    check.handle === null || check.handleExpr === null || isOf(check.handleExpr) ||
    tails.has(lastName(general(check.handle))) || !all.mappings.some((other) =>
      concerns(check, other, values)
    );
  const tied = all.checks.filter(isTied);
  // A loop that checks one element of many is a check of all: it is not left before its first round.
  const loops = new Set<Stmt>(
    tied.flatMap((check) => check.node.loops.filter((loop) => !mapping.node.loops.includes(loop))),
  );
  const asks = (node: CfgNode) =>
    tied.some((check) => check.node === node) || node.loops.some((loop) => loops.has(loop)) ||
    (node.kind === "test" && some(node.expr, isOf)) ||
    some(exprOf(node), (inner) =>
      (inner.kind === "conditional" && some(inner.test, isOf)) ||
      (inner.kind === "binary" && /^[=!<>]=?$/.test(inner.op) && (isOf(inner.left) || isOf(inner.right))) ||
      (inner.kind === "call" && inner !== mapping.call && !PRINTS.test(inner.name) && ASKS.test(inner.name) &&
        inner.args.some((arg) => some(arg, (part) => part.kind === "ident" && roots.has(part.name)))) ||
      (inner.kind === "call" && inner !== mapping.call &&
        inner.args.some((arg, i) => isOf(arg) && asksAbout(inner.name, i, use))));
  const release = (node: CfgNode) =>
    all.releases.find((r) => r.node === node && r.handleExpr !== null && isOf(r.handleExpr));
  const hardware = (node: CfgNode) =>
    values.calls.find(({ call, api, node: at }) =>
      at === node && api?.role === "hardware" && api.memory !== null && call.args[api.memory] !== undefined &&
      some(call.args[api.memory]!, isOf)
    );
  const isOut = handle.startsWith("*");
  const isKeptElsewhere = /[.>[]/.test(handle) && isCheckedElsewhere(fn, tails, use);
  const possible = consistent(values.cfg, mapping.node, fn.file);
  const elsewhere = use(failures, fn).filter((failure) => failure.mapping !== mapping);
  const found = search(
    mapping.node,
    (node) => {
      if (node === mapping.node || node.kind === "hole" || asks(node)) return "stop";
      if (hardware(node) !== undefined) return "hit";
      // Given to the caller, who may ask.
      if (node.kind === "return" && some(node.expr, isOf)) return "stop";
      if (isOut || isKeptElsewhere) return "go";
      return node.kind === "exit" || release(node) !== undefined ? "hit" : "go";
    },
    (node) => {
      const ways = possible(node);
      // Where one of two mappings failed, nobody needs to ask about the other.
      const failed = tied.length === 0 ? undefined : elsewhere.find((failure) => failure.test === node);
      return failed === undefined ? ways : ways.filter((way) => way !== failed.edge);
    },
  );
  if (found.hit === null) return null;
  const sink = hardware(found.hit);
  const undo = release(found.hit);
  const end = found.path.findLast((node) => node.kind === "return");
  return {
    because: sink !== undefined
      ? [{ at: sink.call, note: "the device gets it, and nothing on the way has tested it" }]
      : undo !== undefined
      ? [{ at: undo.call, note: "released, and nobody asked whether there is anything to release" }]
      : end !== undefined
      ? [{ at: end.at, note: "the function can return here without the test" }]
      : [],
    isSure: sink !== undefined || (fn.whole && tied.length === 0 && undo !== undefined),
  };
}

/**
 * The check that the patch removes behind a mapping that stays, when no other is left in sight. What lies between
 * the hunks did not change, and nobody checks twice.
 */
function takenAway(fn: FunctionView, mapping: Mapping, use: Use): Unchecked | null {
  const { file } = fn;
  if (mapping.handle === null || mapping.fate !== "stored") return null;
  const gone = use(removed, file).from(mapping.call);
  const tail = lastName(mapping.handle);
  // It is asked about in another way, or something else is: dma-mapping-wrong-test says what is wrong with that.
  if (misdirectedCheck(mapping, use(handling, fn), use(flow, fn)) !== null) return null;
  const named = new RegExp(`\\b${tail}\\b`);
  const isAsked = use(flow, fn).cfg.nodes.some(({ kind, expr }) =>
    kind === "test" && expr !== null && named.test(file.textOf(expr))
  );
  if (isAsked) return null;
  const wasChecked = [...gone.matchAll(/dma_mapping_error\s*\(([^;{]*)/g)].some(([, args]) =>
    new RegExp(`\\b${tail}\\b[^,]*\\)`).test(args!)
  );
  if (!wasChecked) return null;
  return isTestedStill(tail, use)
    ? null
    : { because: [{ at: mapping.call, note: "the patch takes its check away" }], isSure: false };
}

/** The same where a helper that is not shown maps, or where the mapping begins above the hunk. */
function* takenAwayBehind(fn: FunctionView, all: Handling, use: Use): Generator<Draft<"removed">> {
  for (const { stmt, isCut, args, handle, instead } of use(goneChecks, fn)) {
    // What came in its place may test it in another way.
    if (instead !== null || isTestedStill(lastName(handle), use)) continue;
    if (!isCut && !isMappedByHelper(stmt, handle, all, fn)) continue;
    yield {
      at: stmt,
      say: "removed",
      with: { handle },
      unless: "a line that the patch does not show tests it",
      confidence: "medium",
      wanted: `if (dma_mapping_error(${args.join(", ")}))`,
      subject: handle,
    };
  }
}

/** Whether a statement sets the handle to what a helper returns that maps by its name. */
function isMappedByHelper(stmt: Stmt, handle: string, all: Handling, { file }: FunctionView): boolean {
  if (stmt.kind !== "expr" || stmt.expr.kind !== "assign") return false;
  const { target, value } = stmt.expr;
  return value.kind === "call" && /map/i.test(value.name) && !API.has(value.name) &&
    file.textOf(target) === handle &&
    !all.mappings.some(({ call }) => call === value);
}

/** Whether a check of what goes by this name is left anywhere. */
function isTestedStill(tail: string, use: Use): boolean {
  const test = new RegExp(`mapping_error\\s*\\([^;{]*\\b${tail}\\b|\\b${tail}\\s*[!=]= *DMA_MAPPING_ERROR`);
  return use.side.files.some((file) => test.test(file.text));
}

/** The way from an allocation to the end of the function on which its pointer is never looked at. */
function neverNull(
  fn: FunctionView,
  mapping: Mapping,
  values: Flow,
  use: Use,
): { pointer: string; because: Unchecked["because"] } | null {
  const store = values.stores.find((s) =>
    s.op === "=" && s.target !== mapping.handleExpr && resultOf(s.value, mapping.call)
  );
  if (store === undefined || store.place.startsWith("*") || isValueOfBlock(fn, store.place)) return null;
  const places = new Set([general(store.place)]);
  const tails = new Set([lastName(general(store.place))]);
  for (const other of values.stores) {
    if (other.origins.some((origin) => origin.expr === mapping.call && origin.meaning !== "dma")) {
      tails.add(lastName(general(other.place)));
      places.add(general(other.place));
    }
  }
  // `*p = alloc()` is asked about by `!*p`, whatever `p` points to.
  if ("kind" in store.target && store.target.kind === "unary") {
    tails.add(lastName(fn.file.textOf(store.target)));
  }
  const roots = new Set([...places].map(rootOf));
  const isNamed = (expr: Expr) =>
    (expr.kind === "ident" && tails.has(expr.name)) || (expr.kind === "member" && tails.has(expr.field));
  // Any condition on it, and any helper that might have one, is a test.
  const asks = (node: CfgNode) =>
    (node.kind === "test" && some(node.expr, isNamed)) || node.kind === "switch" ||
    some(exprOf(node), (inner) =>
      (inner.kind === "conditional" && some(inner.test, isNamed)) ||
      (inner.kind === "binary" && /^[=!]=$/.test(inner.op) &&
        (isNamed(inner.left) || isNamed(inner.right))) ||
      (inner.kind === "call" && inner !== mapping.call && ASKS.test(inner.name) && !SPEAKS.test(inner.name) &&
        inner.args.some((arg) => some(arg, (part) => part.kind === "ident" && roots.has(part.name))))) ||
    (node.kind === "return" && some(node.expr, isNamed));
  if (values.cfg.nodes.some((node) => node.kind !== "hole" && asks(node))) return null;
  const found = search(
    mapping.node,
    (node) => node === mapping.node || node.kind === "hole" ? "stop" : node.kind === "exit" ? "hit" : "go",
    consistent(values.cfg, mapping.node, fn.file),
  );
  const pointer = "kind" in store.target ? fn.file.textOf(store.target) : store.place;
  if (found.hit === null) {
    // Where the function is not shown to its end, the patch may say that this was the place.
    const wasAsked = new RegExp(
      `if \\((?:unlikely\\()?(?:!${RegExp.escape(pointer)}|${RegExp.escape(pointer)} == NULL)\\)`,
    );
    return wasAsked.test(use(removed, fn.file).from(mapping.call))
      ? { pointer, because: [{ at: mapping.call, note: "the patch takes its check away" }] }
      : null;
  }
  const end = found.path.findLast((node) => node.kind === "return");
  return {
    pointer,
    because: [
      end === undefined
        ? { at: mapping.call, note: "nothing on the way to the end of the function tests it" }
        : { at: end.at, note: "can be reached without the test" },
    ],
  };
}

/** Whether a `({ … })` ends with the place: whoever stands around it gets the pointer. */
function isValueOfBlock(fn: FunctionView, place: string): boolean {
  let is = false;
  walkStmt(fn.node.body, {
    expr: (top) =>
      walkExpr(top, (expr) => {
        if (expr.kind !== "statement-expr" || expr.body.kind !== "block") return;
        const last = expr.body.body.at(-1);
        if (last?.kind === "expr" && fn.file.textOf(last.expr) === place) is = true;
      }),
  });
  return is;
}

/** The call that is given what an allocation of peer memory returned, before anything asks whether it is NULL. */
function usedUntested(call: Call, from: CfgNode, values: Flow): { pointer: string; at: Call } | null {
  const store = values.stores.find((s) => s.op === "=" && resultOf(s.value, call));
  if (store === undefined) return null;
  const isPointer = (expr: Expr) =>
    values.canonical(expr) === store.place ||
    values.valueOf(expr).some((origin) => origin.expr === call && origin.meaning === "kva-p2p");
  const mentions = (node: CfgNode) => some(exprOf(node), isPointer);
  const taker = (node: CfgNode) =>
    values.calls.find((site) =>
      site.node === node && site.call !== call && site.api?.role === "convert" &&
      site.call.args.some(isPointer)
    );
  const found = search(from, (node) => {
    if (node === from) return "go";
    if (node.kind === "hole") return "stop";
    if (!mentions(node)) return "go";
    return node.kind !== "test" && taker(node) !== undefined ? "hit" : "stop";
  });
  return found.hit === null ? null : { pointer: store.place, at: taker(found.hit)!.call };
}

function concerns(check: Use_, mapping: Mapping, values: Flow): boolean {
  if (check.handleExpr === null || check.handle === null || mapping.handle === null) return false;
  return general(check.handle) === general(mapping.handle) ||
    values.valueOf(check.handleExpr).some((origin) => origin.expr === mapping.call);
}

/** Whether a function of the patch asks about its parameter, or hands it on to one that does. */
function asksAbout(name: string, index: number, use: Use, depth = 0): boolean {
  return depth < 3 && use.side.files.some((file) =>
    file.functions.some((fn) => {
      const param = fn.isNamed && fn.name === name ? fn.node.params[index]?.name : undefined;
      if (param === undefined) return false;
      return use(handling, fn).checks.some((check) => check.handle === param) ||
        use(flow, fn).calls.some(({ call }) =>
          call.args.some((arg, i) =>
            arg.kind === "ident" && arg.name === param && asksAbout(call.name, i, use, depth + 1)
          )
        );
    })
  );
}

/** Whether another function of the patch checks a field of the same name, and does not map it itself. */
function isCheckedElsewhere(fn: FunctionView, tails: ReadonlySet<string>, use: Use): boolean {
  const isSame = ({ handle }: Use_) => handle !== null && tails.has(lastName(handle));
  return use.side.files.some((file) =>
    file.functions.some((other) => {
      if (other === fn) return false;
      const { checks, mappings } = use(handling, other);
      return checks.some(isSame) && !mappings.some(isSame);
    })
  );
}

function reachable(from: readonly Edge[], without: CfgNode): Set<CfgNode> {
  const seen = new Set<CfgNode>();
  const stack = from.map((edge) => edge.to);
  while (stack.length > 0) {
    const node = stack.pop()!;
    if (seen.has(node) || node === without) continue;
    seen.add(node);
    if (node.kind !== "hole") stack.push(...node.succ.map((edge) => edge.to));
  }
  return seen;
}

/** The use of the address that the failing path shares with the other one, after at most a message. */
function usedAnyway(failure: FailureEdge, values: Flow, all: Handling): CfgNode | null {
  const { mapping, test, edge } = failure;
  const failed = reachable([edge], test);
  const fine = reachable(test.succ.filter((other) => other !== edge), test);
  for (const node of failed) {
    if (fine.has(node)) continue;
    const isMessage = node.kind === "expr" && node.expr?.kind === "call" && PRINTS.test(node.expr.name);
    if (node.kind !== "join" && !isMessage) return null;
  }
  const isOf = (expr: Expr) =>
    values.valueOf(expr).some((origin) => origin.expr === mapping.call) ||
    values.canonical(expr) === mapping.handle;
  const checks = new Set(all.checks.map((check) => check.node));
  const found = search(
    test,
    (node) => {
      if (node === test || node === mapping.node || node.kind === "hole" || checks.has(node)) return "stop";
      if (node.kind === "test" && some(node.expr, isOf)) return "stop";
      for (const store of values.stores) {
        if (store.node !== node) continue;
        if (store.place === mapping.handle) return "stop";
        if (node.at.start < test.at.start) continue;
        if ("kind" in store.target && store.target.kind !== "ident" && isOf(store.value)) return "hit";
      }
      // Back in a loop it is the next round's.
      if (node.at.start < test.at.start) return "go";
      const isUse = values.calls.some(({ call, api, node: at }) =>
        at === node && api?.role === "hardware" && call.args.some((arg) => isOf(arg))
      );
      return isUse ? "hit" : "go";
    },
    (node) => node === test ? [edge] : node.succ,
  );
  return found.hit;
}

/** The ways out of tests that are taken when something could not be mapped, wherever it was. */
function failingWays(
  fn: FunctionView,
  all: Handling,
  use: Use,
): Iterable<{ readonly test: CfgNode; readonly edge: Edge }> {
  const ways = new Map<CfgNode, { readonly test: CfgNode; readonly edge: Edge }>();
  for (const { node, call } of all.checks) {
    const edge = node.succ.find((way) => way.when === true);
    if (node.kind === "test" && node.expr === call && edge !== undefined) {
      ways.set(node, { test: node, edge });
    }
  }
  for (const failure of use(failures, fn)) ways.set(failure.test, failure);
  return ways.values();
}

/**
 * The variable that the removed lines of the failing branch set to an error, and that nothing sets there any more.
 * The lines that are not shown did not change, and return it.
 */
function codeTakenAway(
  fn: FunctionView,
  test: CfgNode,
  edge: Edge,
  values: Flow,
  use: Use,
): string | null {
  let branch: Stmt | null = null;
  walkStmt(fn.node.body, {
    stmt(stmt) {
      if (stmt.kind === "if" && stmt.test.start <= test.at.start && test.at.end <= stmt.test.end) {
        branch = stmt.yes;
      }
    },
  });
  const yes = branch as Stmt | null;
  const jumps = yes?.kind === "goto" || (yes?.kind === "block" && yes.body.at(-1)?.kind === "goto");
  if (yes === null || !jumps) return null;
  const gone = use(removed, fn.file).at({ start: test.at.start, end: yes.end });
  const set = /\b(\w+) = (?:-E[A-Z]+;|(?:ib_)?dma_mapping_error ?\()/.exec(gone);
  if (set === null) return null;
  const name = set[1]!;
  const sets = (at: CfgNode) =>
    values.stores.some((store) => store.node === at && store.place === name) ||
    some(exprOf(at), (inner) =>
      inner.kind === "unary" && inner.op === "&" && values.canonical(inner) === `&${name}`);
  // Set before, maybe by what is tested: the branch need not do it again.
  const isSetBefore = values.stores.some((store) =>
    store.place === name && fn.file.isChanged(store.node.at) &&
    !(store.value.kind === "number" && store.value.value === 0n)
  );
  const isAsked = some(test.expr, (inner) => inner.kind === "ident" && inner.name === name);
  if (isSetBefore || isAsked || sets(test)) return null;
  const way = search(
    test,
    (at) => {
      if (at === test) return "stop";
      if (at.kind === "hole") return "hit";
      if (sets(at)) return "stop";
      if (at.kind !== "return") return "go";
      return at.expr?.kind === "ident" && at.expr.name === name ? "hit" : "stop";
    },
    (at) => at === test ? [edge] : at.succ,
  );
  return way.hit === null ? null : name;
}

/** The return of 0 that the failing path reaches with nothing done about it; null when there is none in sight. */
function returnsSuccess(fn: FunctionView, failure: FailureEdge, values: Flow): CfgNode | null {
  if (fn.node.returns.replace(/\b(?:static|inline|extern)\b/g, "").trim() !== "int") return null;
  const returns = values.cfg.nodes.filter((node) => node.kind === "return" && node.expr !== null);
  const isErrno = (expr: Expr | null) =>
    expr?.kind === "unary" && expr.op === "-" && expr.operand.kind === "ident" &&
    /^E[A-Z0-9]+$/.test(expr.operand.name);
  const { test, edge } = failure;
  const names = new Set(
    returns.map(({ expr }) => expr).filter((expr) => expr?.kind === "ident").map((expr) =>
      (expr as Expr & { kind: "ident" }).name
    ),
  );
  // Who counts says how many it did: the caller sees that some are missing.
  for (const node of values.cfg.nodes) {
    some(exprOf(node), (inner) => {
      const counted = inner.kind === "update"
        ? inner.operand
        : inner.kind === "assign" && inner.op !== "="
        ? inner.target
        : null;
      return counted?.kind === "ident" && names.delete(counted.name);
    });
  }
  const isTestOf = (node: CfgNode, name: string) =>
    node.kind === "test" && node.expr !== null &&
    ((node.expr.kind === "ident" && node.expr.name === name) ||
      (node.expr.kind === "binary" && (node.expr.op === "<" || node.expr.op === "!=") &&
        node.expr.left.kind === "ident" && node.expr.left.name === name &&
        node.expr.right.kind === "number" && node.expr.right.value === 0n));
  const sets = (node: CfgNode, name: string) =>
    values.stores.some((store) => store.node === node && store.place === name) ||
    some(
      exprOf(node),
      (inner) =>
        inner.kind === "unary" && inner.op === "&" && inner.operand.kind === "ident" &&
        inner.operand.name === name,
    );
  /** Whether every way to the test leaves 0 in the variable. */
  const isZero = (name: string) => {
    const seen = new Set<CfgNode>();
    const stack = [test];
    while (stack.length > 0) {
      const node = stack.pop()!;
      for (const before of node.pred) {
        if (isTestOf(before, name) && before.succ.every((way) => way.to !== node || way.when === false)) {
          continue;
        }
        if (before.kind === "hole" || before.kind === "entry") return false;
        if (sets(before, name)) {
          const value = exprOf(before);
          const set = value?.kind === "assign" ? value.value : before.decl?.init ?? null;
          if (set?.kind !== "number" || set.value !== 0n) return false;
          continue;
        }
        if (seen.has(before)) continue;
        seen.add(before);
        stack.push(before);
      }
    }
    return true;
  };
  const isLiteral = returns.some(({ expr }) => isErrno(expr));
  let isHandled = false;
  const reach = (name: string | null) =>
    search(
      test,
      (node) => {
        if (node.kind === "hole" || node === test) return "stop";
        if (name !== null && sets(node, name)) return "stop";
        if (node.kind === "return") {
          const { expr } = node;
          if (name !== null) return expr?.kind === "ident" && expr.name === name ? "hit" : "stop";
          return expr?.kind === "number" && expr.value === 0n ? "hit" : "stop";
        }
        // A field that is set, or a message that says so: the driver goes another way.
        if (values.stores.some((store) => store.node === node) || FALLBACK.test(fn.file.textOf(node.at))) {
          isHandled = true;
          return "stop";
        }
        return "go";
      },
      (node) =>
        node === test
          ? [edge]
          : name !== null && isTestOf(node, name)
          ? node.succ.filter((way) => way.when !== true)
          : node.succ,
    ).hit;
  for (const name of names) {
    if (!isZero(name)) continue;
    const hit = reach(name);
    if (hit !== null && !isHandled) return hit;
  }
  if (!isLiteral || names.size > 1) return null;
  const hit = reach(null);
  return isHandled ? null : hit;
}
