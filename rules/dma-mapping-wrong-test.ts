/**
 * E02: a DMA address, or the memory that comes with one, is tested with the wrong question.
 *
 * @module
 */

import { type Call, type Expr, walkExpr } from "./engine/ast.ts";
import { type CfgNode, search } from "./engine/cfg.ts";
import { defineRule, type FunctionView, type Use } from "./engine/rule.ts";
import { goneChecks } from "./facts/gone_check.ts";
import { misdirectedCheck } from "./facts/misdirected.ts";
import { type Flow, flow, mentions } from "./facts/flow.ts";
import { handling } from "./facts/mappings.ts";
import type { Origin } from "./facts/origin.ts";
import { isImplementation } from "./facts/place.ts";
import { removed } from "./facts/removed.ts";
import { API } from "./kernel/mod.ts";

/** The handle's place and the pointer come from one call: its failure is a NULL pointer and nothing else. */
const isFromAlloc = (origin: Origin) => {
  const api = API.get(origin.api);
  return origin.meaning === "dma" && origin.certainty === "exact" && api?.role === "alloc" &&
    api.failure === "null" && api.families.length > 0;
};
const isFromMap = (origin: Origin) => {
  const api = API.get(origin.api);
  return origin.meaning === "dma" && origin.certainty === "exact" && api?.role === "map" &&
    api.failure === "mapping-error";
};

/** p2pdma-provider-setup reports what is done with its result. */
const SAID_ELSEWHERE = "pcim_p2pdma_provider";

export default defineRule({
  id: "dma-mapping-wrong-test",
  since: "0.1.0",
  code: "E02",
  severity: "error",
  confidence: "high",
  category: "error-check",
  scope: "function",
  summary: "the failure of a mapping or of a coherent allocation is looked for in the wrong place",
  why:
    `A mapping that fails returns \`DMA_MAPPING_ERROR\`, all ones; 0 is an address like any other: the first page of an
IOMMU domain, or the first page of RAM behind a bus offset. \`!addr\` and \`IS_ERR(addr)\` therefore miss the failure,
\`addr < 0\` is never true for an unsigned type, and an address of 0 is refused though it is good. Only
\`dma_mapping_error()\` knows.

With \`dma_alloc_coherent()\` and its kin it is the other way round: they return NULL, and leave the handle as it was.
\`dma_mapping_error()\` of that handle tests whatever happened to be there, and a handle of 0 is a valid one. Their
pointer is never an \`ERR_PTR()\`.`,
  limits:
    `An address that is tested against 0 long after it was checked stands for "is there one at all", and is left
alone; so is a handle that is tested against 0 after a test of its own for the pointer: some hardware takes 0 for
none.`,
  unless: "another value was stored in the same place on a way that the patch does not show",
  sources: [
    "include/linux/dma-mapping.h: the comment of DMA_MAPPING_ERROR",
    "Documentation/core-api/dma-api.rst: dma_alloc_coherent(), dma_mapping_error()",
    "https://lore.kernel.org/all/6b86f6e530b504a5eee864af10e2ae1570d7b645.1639157090.git.robin.murphy@arm.com/",
    "https://lore.kernel.org/all/1614926102-44388-2-git-send-email-tanghui20@huawei.com/",
  ],
  messages: {
    test: "`{test}` does not tell whether {map}() failed: that is DMA_MAPPING_ERROR and 0 is a valid address",
    variable: "{check}() asks about `{other}`, and it is `{handle}` that {map}() has set",
    replaced:
      "`{test}` does not tell whether the mapping failed, as the dma_mapping_error() did that it replaces: 0 is a valid address",
    handle: "dma_mapping_error() is not for the handle of {map}(), whose failure is a NULL pointer",
    zero: "`{handle}` of 0 is a valid address: whether {map}() failed only its pointer tells",
    errptr: "{map}() returns an ERR_PTR() when it fails, never NULL",
    pointer: "{map}() returns NULL when it fails, never an ERR_PTR()",
    pointee: "`{test}` asks about the parameter, not about what {map}() returned, which is `*{handle}`",
    unset:
      "`{handle}` is tested for the failure of {map}(), but nothing has set it when the call is left out on the way here",
    sentinel:
      "`{handle}` starts as 0, which dma_mapping_error() takes for a mapping: start with DMA_MAPPING_ERROR",
    helper: "{helper}() returns 0 when it fails, which dma_mapping_error() takes for a valid address",
  },
  bad: [
    {
      title: "an error pointer is no NULL",
      patch: String.raw`
+static int foo_import(struct foo *foo, int fd)
+{
+	struct dma_buf *buf;
+
+	buf = dma_buf_get(fd);
+	if (!buf) /* want: errptr */
+		return -EINVAL;
+	foo->buf = buf;
+	return 0;
+}`,
    },
    {
      title: "the address of the other side is asked about",
      patch: String.raw`
+static int foo_transfer(struct foo *foo, void *buf, dma_addr_t dev_dma, size_t len)
+{
+	dma_addr_t buf_dma;
+
+	buf_dma = dma_map_single(foo->dev, buf, len, DMA_TO_DEVICE);
+	if (dma_mapping_error(foo->dev, dev_dma)) /* want: variable */
+		return -EIO;
+	foo_copy(foo, buf_dma, dev_dma, len);
+	dma_unmap_single(foo->dev, buf_dma, len, DMA_TO_DEVICE);
+	return 0;
+}`,
    },
    {
      title: "of a mapping that begins above the hunk",
      patch: String.raw`
@@ static int foo_fill(struct foo *foo, struct sk_buff *skb)
 			     skb->len,
 			     DMA_FROM_DEVICE);
-	if (dma_mapping_error(foo->dev, addr)) {
+	if (!addr) { /* want: replaced */
 		dev_kfree_skb_any(skb);
 		return -ENOMEM;
 	}`,
    },
    {
      title: "the pointer to the result is asked",
      patch: String.raw`
+static int foo_get(struct pci_dev *pdev, struct p2pdma_provider **provider, void **buf, dma_addr_t *dma)
+{
+	*provider = pcim_p2pdma_provider(pdev, 2);
+	if (!provider) /* want: p2pdma-provider-setup.holder */ /* ok: pointee */
+		return -EINVAL;
+	*buf = dma_alloc_coherent(&pdev->dev, SZ_4K, dma, GFP_KERNEL);
+	if (!buf) /* want: pointee */
+		return -ENOMEM;
+	return 0;
+}`,
    },
    {
      title: "a way on which the allocation is left out",
      patch: String.raw`
+static int foo_alloc(struct device *dev, dma_addr_t *dma)
+{
+	void *buf;
+
+	if (!dma_set_coherent_mask(dev, DMA_BIT_MASK(32)))
+		buf = dma_alloc_coherent(dev, SZ_4K, dma, GFP_KERNEL);
+	if (!buf) /* want: unset */
+		return -ENOMEM;
+	return foo_use(dev, buf);
+}
@@ static int foo_msi(struct device *dev, struct foo *foo)
 	ret = dma_set_coherent_mask(dev, DMA_BIT_MASK(32));
-	if (ret)
-		dev_warn(dev, "no 32 bits\n");
-	vaddr = dma_alloc_coherent(dev, SZ_4K, &foo->dma, GFP_KERNEL);
+	if (!ret)
+		vaddr = dma_alloc_coherent(dev, SZ_4K, &foo->dma, GFP_KERNEL); /* want: unset */
 	if (!vaddr)
 		return -ENOMEM;`,
    },
    {
      title: "0 and negative numbers",
      patch: String.raw`
+static int foo_map(struct foo *foo)
+{
+	dma_addr_t dst;
+
+	foo->src = dma_map_single(foo->dev, foo->buf, foo->len, DMA_TO_DEVICE);
+	if (!foo->src) /* want: test */
+		return -ENOMEM;
+	dst = dma_map_page(foo->dev, foo->page, 0, PAGE_SIZE, DMA_FROM_DEVICE);
+	if (IS_ERR_VALUE(dst)) /* want: test */
+		return -ENOMEM;
+	foo->dst = dst;
+	return 0;
+}`,
    },
    {
      title: "dma_mapping_error() of a coherent handle",
      patch: String.raw`
+static int foo_init(struct foo *foo)
+{
+	foo->ring = dma_alloc_coherent(foo->dev, FOO_RING, &foo->ring_dma, GFP_KERNEL);
+	if (dma_mapping_error(foo->dev, foo->ring_dma)) /* want: handle */
+		return -ENOMEM;
+	return 0;
+}`,
    },
    {
      title: "a coherent handle against 0, and the pointer as an ERR_PTR()",
      patch: String.raw`
+static int foo_init(struct foo *foo)
+{
+	void *ring = dma_alloc_coherent(foo->dev, FOO_RING, &foo->ring_dma, GFP_KERNEL);
+
+	if (!ring || !foo->ring_dma) /* want: zero */
+		return -ENOMEM;
+	foo->cmd = dmam_alloc_coherent(foo->dev, FOO_CMD, &foo->cmd_dma, GFP_KERNEL);
+	if (IS_ERR(foo->cmd)) /* want: pointer */
+		return PTR_ERR(foo->cmd);
+	return 0;
+}`,
    },
    {
      title: "the patch starts with 0 where DMA_MAPPING_ERROR was",
      patch: String.raw`
@@ static int foo_map(struct foo *foo)
-	dma_addr_t dst = DMA_MAPPING_ERROR;
+	dma_addr_t dst = 0; /* want: sentinel */
 	int ret;

 	dst = dma_map_single(foo->dev, foo->out, foo->len, DMA_FROM_DEVICE);
 	if (dma_mapping_error(foo->dev, dst))
 		goto err;`,
    },
    {
      title: "a handle that starts as 0 and is cleaned up by dma_mapping_error()",
      patch: String.raw`
+static int foo_map(struct foo *foo)
+{
+	dma_addr_t src;
+	dma_addr_t dst = 0; /* want: sentinel */
+
+	src = dma_map_single(foo->dev, foo->in, foo->len, DMA_TO_DEVICE);
+	if (dma_mapping_error(foo->dev, src))
+		goto err;
+	dst = dma_map_single(foo->dev, foo->out, foo->len, DMA_FROM_DEVICE);
+	if (dma_mapping_error(foo->dev, dst))
+		goto err;
+	return foo_run(foo, src, dst);
+err:
+	if (!dma_mapping_error(foo->dev, dst))
+		dma_unmap_single(foo->dev, dst, foo->len, DMA_FROM_DEVICE);
+	return -ENOMEM;
+}`,
    },
    {
      title: "a helper of the driver that fails with 0",
      patch: String.raw`
+static dma_addr_t foo_addr_of(struct foo *foo, unsigned int i)
+{
+	if (i >= foo->n)
+		return 0;
+	return foo->ring_dma + i * sizeof(struct foo_desc);
+}
+
+static int foo_seek(struct foo *foo, unsigned int i)
+{
+	dma_addr_t addr = foo_addr_of(foo, i);
+
+	if (dma_mapping_error(foo->dev, addr)) /* want: helper */
+		return -EINVAL;
+	writeq(addr, foo->regs);
+	return 0;
+}`,
    },
  ],
  good: [
    {
      title: "the hunk ends within the check",
      patch: String.raw`
@@ static int foo_init(struct foo *foo)
-	foo->dst = dma_map_single(foo->dev, foo->phys, foo->len, DMA_FROM_DEVICE);
+	foo->dst = dma_map_resource(foo->dev, foo->phys, foo->len, DMA_FROM_DEVICE, 0);
 	if (dma_mapping_error(foo->chan->device->dev, /* ok: variable */`,
    },
    {
      title: "an error pointer is asked about, and then whether there is one",
      patch: String.raw`
+static int foo_import(struct foo *foo, int fd)
+{
+	foo->buf = dma_buf_get(fd);
+	if (IS_ERR(foo->buf)) /* ok: errptr */
+		return PTR_ERR(foo->buf);
+	foo->attach = dma_buf_attach(foo->buf, foo->dev);
+	if (IS_ERR_OR_NULL(foo->attach)) /* ok: errptr */
+		return -EINVAL;
+	if (!foo->ready) /* ok: errptr */
+		return -EAGAIN;
+	return 0;
+}`,
    },
    {
      title: "the address has gone to where it is asked about",
      patch: String.raw`
+static int foo_map(struct foo *foo, struct foo_desc *desc, struct foo_state *state)
+{
+	desc->addr = state->dma = dma_map_single(foo->dev, foo->buf, foo->len, DMA_TO_DEVICE);
+	if (dma_mapping_error(foo->dev, state->dma)) /* ok: variable */
+		return -EIO;
+	foo->dma = dma_map_page(foo->dev, foo->page, 0, PAGE_SIZE, DMA_TO_DEVICE);
+	foo_note(foo, &desc->next);
+	if (dma_mapping_error(foo->dev, desc->next)) /* ok: variable */
+		return -EIO;
+	return foo_go(foo, foo->dma);
+}`,
    },
    {
      title: "what takes the place of the check asks about something else",
      patch: String.raw`
@@ static int foo_fill(struct foo *foo, struct sk_buff *skb)
 			     skb->len,
 			     DMA_FROM_DEVICE);
-	if (dma_mapping_error(foo->dev, addr)) {
+	if (!foo->ring) { /* ok: replaced */
 		dev_kfree_skb_any(skb);
 		return -ENOMEM;
 	}`,
    },
    {
      title: "the result is asked, and every way sets the pointer",
      patch: String.raw`
+static int foo_get(struct device *dev, struct p2pdma_provider **provider, void **buf, dma_addr_t *dma)
+{
+	void *first;
+	void *second = NULL;
+
+	*provider = pcim_p2pdma_provider(to_pci_dev(dev), 2);
+	if (!*provider) /* ok: pointee */
+		return -EINVAL;
+	*buf = dma_alloc_coherent(dev, SZ_4K, dma, GFP_KERNEL);
+	if (!(*buf)) /* ok: pointee */
+		return -ENOMEM;
+	if (foo_is_small(dev))
+		first = foo_small(dev);
+	else
+		first = dma_alloc_coherent(dev, SZ_4K, dma, GFP_KERNEL);
+	if (!dma_set_coherent_mask(dev, DMA_BIT_MASK(32)))
+		second = dma_alloc_coherent(dev, SZ_4K, dma, GFP_KERNEL);
+	if (!first || !second) /* ok: unset */
+		return -ENOMEM;
+	return foo_use(dev, first, second);
+}`,
    },
    {
      title: "a 0 that says that nothing was mapped, and the low bits of an address",
      patch: String.raw`
+static void foo_write(struct foo *foo, void *buf)
+{
+	dma_addr_t addr = 0;
+
+	if (foo->use_dma) {
+		addr = dma_map_single(foo->dev, buf, foo->len, DMA_TO_DEVICE);
+		foo_start(foo, addr);
+	}
+	foo_wait(foo);
+	if (addr) /* ok: test */
+		dma_unmap_single(foo->dev, addr, foo->len, DMA_TO_DEVICE);
+}
+
+static int foo_alloc(struct foo *foo)
+{
+	unsigned int off;
+	dma_addr_t dma;
+
+	foo->ring = dma_alloc_coherent(foo->dev, FOO_LEN, &dma, GFP_KERNEL);
+	if (!foo->ring)
+		return -ENOMEM;
+	off = dma & FOO_ALIGN_MASK;
+	if (off) /* ok: zero */
+		foo->ring += FOO_ALIGN - off;
+	return 0;
+}`,
    },
    {
      title: "the right questions",
      patch: String.raw`
+static int foo_init(struct foo *foo)
+{
+	foo->ring = dma_alloc_coherent(foo->dev, FOO_RING, &foo->ring_dma, GFP_KERNEL);
+	if (!foo->ring)
+		return -ENOMEM;
+	foo->src = dma_map_single(foo->dev, foo->buf, foo->len, DMA_TO_DEVICE);
+	if (dma_mapping_error(foo->dev, foo->src)) /* ok: test, handle */
+		return -ENOMEM;
+	return 0;
+}`,
    },
    {
      title: "hardware that takes 0 for none",
      patch: String.raw`
+static int foo_alloc(struct foo *foo)
+{
+	dma_addr_t handle;
+	void *page = dma_alloc_coherent(foo->dev, PAGE_SIZE, &handle, GFP_KERNEL);
+
+	if (!page)
+		return -ENOMEM;
+	if (!handle) { /* ok: zero */
+		foo->unusable = page;
+		page = dma_alloc_coherent(foo->dev, PAGE_SIZE, &handle, GFP_KERNEL);
+		if (!page)
+			return -ENOMEM;
+	}
+	return foo_add(foo, page, handle);
+}`,
    },
    {
      title: "DMA_MAPPING_ERROR by hand is legal",
      patch: String.raw`
+static int foo_map(struct foo *foo)
+{
+	dma_addr_t addr = DMA_MAPPING_ERROR;
+
+	if (foo->len)
+		addr = dma_map_single(foo->dev, foo->buf, foo->len, DMA_TO_DEVICE);
+	if (addr == DMA_MAPPING_ERROR) /* ok: test */
+		return -ENOMEM;
+	return foo_run(foo, addr);
+}`,
    },
    {
      title: "0 stands for none",
      patch: String.raw`
+static int foo_map(struct foo *foo)
+{
+	dma_addr_t addr = dma_map_single(foo->dev, foo->buf, foo->len, DMA_TO_DEVICE);
+
+	if (dma_mapping_error(foo->dev, addr))
+		addr = 0;
+	if (addr) /* ok: test */
+		writeq(addr, foo->regs);
+	return 0;
+}
+
+static void foo_unmap(struct foo *foo)
+{
+	if (foo->src) /* ok: test */
+		dma_unmap_single(foo->dev, foo->src, foo->len, DMA_TO_DEVICE);
+}`,
    },
    {
      title: "one of two ways maps, the other allocates",
      patch: String.raw`
+static int foo_get(struct foo *foo)
+{
+	dma_addr_t addr;
+
+	if (foo->bounce)
+		foo->virt = dma_alloc_coherent(foo->dev, foo->len, &addr, GFP_KERNEL);
+	else
+		addr = dma_map_single(foo->dev, foo->buf, foo->len, DMA_TO_DEVICE);
+	if (dma_mapping_error(foo->dev, addr)) /* ok: handle */
+		return -ENOMEM;
+	foo->addr = addr;
+	return 0;
+}`,
    },
    {
      title: "a handle that starts as 0 and is always set before it is looked at",
      patch: String.raw`
+static int foo_map(struct foo *foo)
+{
+	dma_addr_t addr = 0; /* ok: sentinel */
+
+	addr = dma_map_single(foo->dev, foo->buf, foo->len, DMA_TO_DEVICE);
+	if (dma_mapping_error(foo->dev, addr))
+		return -ENOMEM;
+	dma_unmap_single(foo->dev, addr, foo->len, DMA_TO_DEVICE);
+	return 0;
+}`,
    },
  ],
  *check(fn, use) {
    if (isImplementation(fn.file)) return;
    const values = use(flow, fn);
    const all = use(handling, fn);
    const { checks } = all;
    const checked = new Set(checks.map((check) => check.node));
    for (const node of values.cfg.nodes) {
      if (node.kind !== "test" || node.expr === null) continue;
      for (const { operand, shown } of questions(node.expr)) {
        const origins = values.valueOf(operand);
        if (origins.length === 0) continue;
        const [first] = origins;
        const isPointer = shown.kind === "call";
        if (
          isPointer && shown.name !== "IS_ERR_OR_NULL" && origins.every((o) => isPointerOfAlloc(o)) &&
          // What a helper returns may be an ERR_PTR() as well.
          first !== undefined && origins.every((o) => values.nodeOf(o.expr) !== null)
        ) {
          yield {
            at: shown,
            say: "pointer",
            with: { map: first.api },
            because: [{ at: first.expr, note: "allocated here", file: first.file }],
            wanted: `if (!${fn.file.textOf(operand)})`,
            subject: `${first.api} ${values.canonical(operand)}`,
          };
          continue;
        }
        if (origins.some((o) => o.viaField)) continue;
        if (origins.every(isFromMap)) {
          const map = first!.expr as Call;
          const from = values.nodeOf(map);
          if (from === null || !reachesUnchecked(from, node, checked)) continue;
          if (isFlag(operand, node, from, values)) continue;
          yield {
            at: shown,
            say: "test",
            with: { test: fn.file.textOf(shown), map: map.name },
            because: [{ at: map, note: "mapped here" }],
            wanted: `dma_mapping_error(${map.args[0] ? fn.file.textOf(map.args[0]) : "dev"}, ${
              fn.file.textOf(operand)
            })`,
            subject: `${map.name} ${values.canonical(operand)}`,
          };
        } else if (origins.every(isFromAlloc)) {
          const from = values.nodeOf(first!.expr);
          if (from === null || !reachesUnchecked(from, node, new Set(), 2)) continue;
          if (isPart(operand, values) || isAskedBefore(first!.expr, node, values, fn)) continue;
          yield {
            at: shown,
            say: "zero",
            with: { handle: fn.file.textOf(operand), map: first!.api },
            because: [{ at: first!.expr, note: "allocated here" }],
            severity: "warning",
            subject: `${first!.api} ${values.canonical(operand)}`,
          };
        }
      }
    }
    for (const check of checks) {
      if (check.handleExpr === null) continue;
      const origins = values.valueOf(check.handleExpr);
      // A field may hold what another function mapped.
      if (origins.length > 0 && origins.every((origin) => isFromAlloc(origin) && !origin.viaField)) {
        yield {
          at: check.call,
          say: "handle",
          with: { map: origins[0]!.api },
          because: [{
            at: origins[0]!.expr,
            note: "sets the handle only when it succeeds",
            file: origins[0]!.file,
          }],
          subject: `${origins[0]!.api} ${check.handle}`,
        };
      }
      const helper = failsWithZero(check.handleExpr, values, use);
      if (helper !== null) {
        yield {
          at: check.call,
          say: "helper",
          with: { helper: helper.name },
          because: [{
            at: helper.zero,
            note: `what ${helper.name}() returns when it fails`,
            file: helper.file,
          }],
          confidence: "medium",
          subject: helper.name,
        };
      }
    }
    for (const mapping of all.mappings) {
      const check = misdirectedCheck(mapping, all, values);
      if (check === null) continue;
      yield {
        at: check.handleExpr!,
        say: "variable",
        with: {
          check: check.call.name,
          other: fn.file.textOf(check.handleExpr!),
          handle: mapping.handle!,
          map: mapping.call.name,
        },
        because: [{ at: mapping.call, note: `sets \`${mapping.handle}\`` }],
        wanted: mapping.handle!,
        subject: `${mapping.call.name} ${mapping.handle} ${check.handle}`,
      };
    }
    yield* sentinels(fn, values, use);
    yield* replaced(fn, values, use);
    yield* pointees(fn, values);
    yield* nulls(fn, values);
    yield* unset(fn, values, use);
  },
});

/** A dma_mapping_error() of a mapping that begins above the hunk, which becomes a comparison with 0. */
function* replaced(fn: FunctionView, values: Flow, use: Use) {
  for (const { isCut, args, handle, instead } of use(goneChecks, fn)) {
    if (!isCut || instead === null) continue;
    const asked = values.cfg.nodes.filter(({ kind, expr }) =>
      kind === "test" && expr !== null && fn.file.lineAt(expr.start) === instead
    ).flatMap(({ expr }) => questions(expr!));
    const found = asked.find(({ operand }) => fn.file.textOf(operand) === handle);
    if (found === undefined) continue;
    yield {
      at: found.shown,
      say: "replaced" as const,
      with: { test: fn.file.textOf(found.shown) },
      wanted: `dma_mapping_error(${args.join(", ")})`,
      subject: handle,
    };
  }
}

/** The result of a function that returns an ERR_PTR(), which the next test compares with NULL. */
function* nulls(fn: FunctionView, values: Flow) {
  for (const { target, value, op, node } of values.stores) {
    const call = stripped(value);
    const api = call.kind === "call" ? API.get(call.name) : undefined;
    if (op !== "=" || call.kind !== "call" || api?.failure !== "err-ptr" || call.name === SAID_ELSEWHERE) {
      continue;
    }
    // What ioremap() and its kin return is as wrong to compare, and no business of DMA.
    if (api.returns === "iomem") continue;
    const name = "kind" in target ? fn.file.textOf(target) : target.name;
    const next = search(node, (at) => at.kind === "test" ? "hit" : at.kind === "hole" ? "stop" : "go");
    if (next.hit?.expr == null || next.path.length > 2) continue;
    const asked = questions(next.hit.expr).find(({ operand, shown }) =>
      fn.file.textOf(operand) === name && shown.kind !== "call"
    );
    if (asked === undefined || fn.file.textOf(fn.node).includes(`IS_ERR(${name})`)) continue;
    yield {
      at: asked.shown,
      say: "errptr" as const,
      with: { map: call.name },
      because: [{ at: call, note: `stored in \`${name}\`` }],
      wanted: `IS_ERR(${name})`,
      subject: `${call.name} ${name}`,
    };
  }
}

/** `*out = call(); if (!out)`: the pointer to the result is asked instead of the result. */
function* pointees(fn: FunctionView, values: Flow) {
  for (const { place, value, op, node } of values.stores) {
    const call = stripped(value);
    const api = call.kind === "call" ? API.get(call.name) : undefined;
    if (op !== "=" || call.kind !== "call" || api === undefined || call.name === SAID_ELSEWHERE) continue;
    if (api.failure !== "null" && api.failure !== "err-ptr" && api.failure !== "mapping-error") continue;
    const param = fn.node.params.find(({ name, type }) => place === `*${name}` && type.endsWith("*"));
    if (param === undefined) continue;
    const next = search(node, (at) => at.kind === "test" ? "hit" : at.kind === "hole" ? "stop" : "go").hit;
    const asked = next?.expr == null ? undefined : questions(next.expr)[0];
    if (asked?.operand.kind !== "ident" || asked.operand.name !== param.name) continue;
    yield {
      at: asked.shown,
      say: "pointee" as const,
      with: { test: fn.file.textOf(asked.shown), map: call.name, handle: param.name },
      because: [{ at: call, note: `stored in \`*${param.name}\`` }],
      wanted: `*${param.name}`,
      subject: `${call.name} ${param.name}`,
    };
  }
}

/** A pointer that a test reads though one of the ways to it leaves out the allocation that sets it. */
function* unset(fn: FunctionView, values: Flow, use: Use) {
  for (const { place, value, target, op, node } of values.stores) {
    const call = stripped(value);
    const api = call.kind === "call" ? API.get(call.name) : undefined;
    if (op !== "=" || call.kind !== "call" || api?.role !== "alloc" || api.failure !== "null") continue;
    // A loop is not left before its first round.
    if (api.families.length === 0 || node.loops.length > 0) continue;
    if (!("kind" in target) || target.kind !== "ident" || target.name !== place) continue;
    const decl = values.cfg.nodes.find((at) => at.decl?.name === place);
    if (decl !== undefined && decl.decl!.init !== null) continue;
    // Where the declaration is not shown, the removed line tells that every way set it before.
    const was = new RegExp(`(?:^| )${place} = ${call.name} ?\\(`);
    if (decl === undefined && (!fn.file.isChanged(node.at) || !was.test(use(removed, fn.file).of(fn)))) {
      continue;
    }
    const sets = new Set(values.stores.filter((store) => store.place === place).map((store) => store.node));
    const isGiven = (at: CfgNode) => {
      let is = false;
      if (at.expr !== null) {
        walkExpr(at.expr, (inner) => {
          is ||= inner.kind === "unary" && inner.op === "&" && inner.operand.kind === "ident" &&
            inner.operand.name === place;
        });
      }
      return is;
    };
    const isSetBefore = [...sets].some((other) =>
      other !== node && search(other, (at) => at === node ? "hit" : "go").hit !== null
    );
    if (isSetBefore) continue;
    const isAsked = (at: CfgNode) =>
      at.kind === "test" && at.expr !== null &&
      questions(at.expr).some(({ operand }) => operand.kind === "ident" && operand.name === place);
    // From the last thing before the allocation that is certain: its declaration, or the test that may leave it out.
    const from = decl ?? node.pred.find((at) => at.kind === "test" && at.succ.length === 2);
    if (from === undefined || (decl === undefined && !fn.file.isChanged(from.at))) continue;
    const found = search(
      from,
      (at) => at.kind === "hole" || sets.has(at) || isGiven(at) ? "stop" : isAsked(at) ? "hit" : "go",
    );
    if (found.hit === null) continue;
    // A test that no way from the allocation reaches asks about something else.
    if (search(node, (at) => at === found.hit ? "hit" : sets.has(at) ? "stop" : "go").hit === null) continue;
    yield {
      at: decl === undefined ? call : found.hit.at,
      say: "unset" as const,
      with: { handle: place, map: call.name },
      because: [{
        at: decl === undefined ? found.hit.at : call,
        note: decl === undefined ? "tested here" : "set here",
      }],
      unless: "the way that leaves the call out cannot be taken, or the declaration sets it",
      wanted: `${place} = NULL`,
      severity: "warning" as const,
      confidence: "medium" as const,
      subject: `${call.name} ${place}`,
    };
  }
}

/** What a condition asks about, for `!x`, `x`, `x == 0`, `x < 0` and IS_ERR(x). */
function questions(test: Expr): { operand: Expr; shown: Expr }[] {
  if (test.kind === "call" && /^IS_ERR(?:_OR_NULL|_VALUE)?$/.test(test.name) && test.args[0] !== undefined) {
    return [{ operand: stripped(test.args[0]), shown: test }];
  }
  if (test.kind === "binary" && /^(?:==|!=|<|<=|>)$/.test(test.op)) {
    const isZero = (expr: Expr) =>
      (expr.kind === "number" && expr.value === 0n) || (expr.kind === "ident" && expr.name === "NULL");
    if (isZero(test.right)) return [{ operand: stripped(test.left), shown: test }];
    return [];
  }
  return test.kind === "ident" || test.kind === "member" || test.kind === "index"
    ? [{ operand: test, shown: test }]
    : [];
}

/** Whether the test may also be reached with the 0 that says that nothing was mapped. */
function isFlag(operand: Expr, test: CfgNode, mapped: CfgNode, values: Flow): boolean {
  const place = values.canonical(operand);
  return values.stores.some((store) =>
    store.place === place && store.value.kind === "number" && store.value.value === 0n &&
    search(
        store.node,
        (node) => node === test ? "hit" : node === mapped || node === store.node ? "stop" : "go",
      ).hit !== null
  );
}

/** `misalign = addr & mask`: some bits of the handle, of which 0 is one answer. */
function isPart(operand: Expr, values: Flow): boolean {
  const place = values.canonical(operand);
  return values.stores.some((store) =>
    store.place === place && store.value.kind === "binary" && /^(?:[&%]|>>)$/.test(store.value.op)
  );
}

function stripped(expr: Expr): Expr {
  return expr.kind === "cast" ? stripped(expr.value) : expr;
}

function isPointerOfAlloc(origin: Origin): boolean {
  const api = API.get(origin.api);
  return origin.certainty === "exact" && origin.meaning.startsWith("kva") && origin.expr.kind === "call" &&
    origin.expr.name === origin.api && api?.role === "alloc" && api.failure === "null" &&
    api.families.length > 0;
}

/** Whether the test is the first thing that is asked after the mapping, `tests` conditions on the way allowed. */
function reachesUnchecked(
  from: CfgNode,
  to: CfgNode,
  checked: ReadonlySet<CfgNode>,
  tests = Infinity,
): boolean {
  const found = search(from, (node) => {
    if (node === to) return "hit";
    return node === from || node.kind === "hole" || checked.has(node) ? "stop" : "go";
  });
  return found.hit !== null && found.path.filter((node) => node.kind === "test").length <= tests;
}

/** Whether a statement of its own has asked about the pointer: then 0 is refused for the hardware's sake. */
function isAskedBefore(alloc: Expr, node: CfgNode, values: Flow, { file }: FunctionView): boolean {
  const pointer = values.stores.find(({ value, origins }) =>
    (value === alloc || (value.kind === "cast" && value.value === alloc)) &&
    origins.every(({ meaning }) => meaning !== "dma")
  );
  const test = node.expr;
  return pointer !== undefined && test !== null &&
    values.cfg.nodes.some(({ kind, expr }) =>
      kind === "test" && expr !== null && expr.start > alloc.end && expr.end < test.start &&
      mentions(file.textOf(expr), pointer.place) && /[;{}]/.test(file.text.slice(expr.end, test.start))
    );
}

/** The function of the patch that made the value and whose failures are 0. */
function failsWithZero(
  expr: Expr,
  values: Flow,
  use: Use,
): { name: string; zero: Expr; file: FunctionView["file"] } | null {
  const store = expr.kind === "ident"
    ? values.stores.filter((s) => s.place === expr.name && s.op === "=")
    : [];
  const call = expr.kind === "call"
    ? expr
    : store.length === 1 && store[0]!.value.kind === "call"
    ? store[0]!.value
    : null;
  if (call === null || API.has(call.name)) return null;
  for (const file of use.side.files) {
    const fn = file.functions.find((one) => one.isNamed && one.name === call.name);
    if (fn === undefined || !/\bdma_addr_t$/.test(fn.node.returns.trim())) continue;
    const { returns } = use(flow, fn);
    const zero = returns.find(({ value }) => value.kind === "number" && value.value === 0n);
    const isMixed = returns.some(({ value, origins }) => {
      let is = origins.some(isFromMap);
      walkExpr(value, (inner) => is ||= inner.kind === "ident" && inner.name === "DMA_MAPPING_ERROR");
      return is;
    });
    if (zero !== undefined && !isMixed) return { name: call.name, zero: zero.value, file };
  }
  return null;
}

/** Handles of 0 that reach a `if (!dma_mapping_error(…)) dma_unmap_…()` without having been mapped. */
function* sentinels(fn: FunctionView, values: Flow, use: Use) {
  const { checks, releases, mappings } = use(handling, fn);
  for (const store of values.stores) {
    const isZero = store.value.kind === "number" && store.value.value === 0n;
    if (!isZero || store.op !== "=") continue;
    const type = "kind" in store.target ? values.typeOf(store.target) : store.target.type;
    if (type !== "dma_addr_t" || !mappings.some((mapping) => mapping.handle === store.place)) continue;
    const sets = new Set(
      values.stores.filter((other) => other.place === store.place && other !== store).map((other) =>
        other.node
      ),
    );
    const found = search(store.node, (node) => {
      if (sets.has(node)) return "stop";
      const isGuard = checks.some((check) => check.node === node && check.handle === store.place) &&
        node.succ.some((way) => way.when === false && leadsToRelease(way.to, store.place));
      return isGuard ? "hit" : "go";
    });
    // The guards may stand in lines that are not shown: they go by what the patch takes away.
    const isReplaced = found.hit === null && fn.file.isChanged(store.node.at) &&
      checks.some((check) => check.handle === store.place) &&
      /[^=!<>]= ?DMA_MAPPING_ERROR ?;/.test(use(removed, fn.file).of(fn)) &&
      !/DMA_MAPPING_ERROR/.test(fn.file.text.slice(fn.node.start, fn.node.end));
    if (found.hit === null && !isReplaced) continue;
    yield {
      at: "kind" in store.target ? store.target : { start: store.target.start, end: store.value.end },
      say: "sentinel" as const,
      with: { handle: "kind" in store.target ? fn.file.textOf(store.target) : store.target.name },
      because: found.hit === null ? [] : [{
        at: found.hit.at,
        note: "takes 0 for an address and lets the unmap pass",
      }],
      wanted: "DMA_MAPPING_ERROR",
      confidence: "medium" as const,
      severity: "warning" as const,
      subject: store.place,
    };
  }
  function leadsToRelease(node: CfgNode, place: string): boolean {
    for (
      let at: CfgNode | undefined = node;
      at !== undefined;
      at = at.kind === "join" ? at.succ[0]?.to : undefined
    ) {
      if (releases.some((release) => release.node === at && release.handle === place)) return true;
    }
    return false;
  }
}
