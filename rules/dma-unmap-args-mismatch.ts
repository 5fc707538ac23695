/**
 * U03: size, direction, attributes or index of a release differ from those of the mapping.
 *
 * @module
 */

import { type Call, type Expr, walkExpr } from "./engine/ast.ts";
import { type CfgNode, search } from "./engine/cfg.ts";
import { defineRule, type Draft, type FunctionView, type Use } from "./engine/rule.ts";
import { type Flow, flow } from "./facts/flow.ts";
import { handling, type Use_ } from "./facts/mappings.ts";
import { formerCall, linesOf } from "./facts/former.ts";
import {
  broughtIn,
  type Elsewhere,
  handleKey,
  isOneField,
  isSameField,
  mappedElsewhere,
  type Pair,
  pairs,
} from "./facts/pairs.ts";
import { isMapper } from "./facts/place.ts";
import { isOtherConstant } from "./facts/size.ts";
import { DIRECTIONS, LOAD, PASSES, TRANSFER_DIRECTIONS, TRANSFER_PARAMETERS } from "./kernel/mod.ts";

const OF_DATA = new Map(DIRECTIONS.map((row) => [row.name, row.value]));
const OF_TRANSFER = new Map(TRANSFER_DIRECTIONS.map((row) => [row.name, row.value]));
const DEED = { check: "tested", sync: "synced", release: "released" } as const;

type Key =
  | "direction"
  | "fixed"
  | "hardwired"
  | "attrs"
  | "forgotten"
  | "size"
  | "again"
  | "data"
  | "transfer";

export default defineRule({
  id: "dma-unmap-args-mismatch",
  since: "0.1.0",
  code: "U03",
  severity: "error",
  confidence: "high",
  category: "unmap-pairing",
  scope: "function",
  summary: "a release differs from its mapping in size, direction, attributes or index",
  why:
    `The DMA API keeps no record of a mapping: what \`dma_unmap_*()\` is told is what it undoes. The size decides how much
IOVA space is given back, the direction which caches are cleaned or invalidated and whether a bounce buffer is copied
back, \`DMA_ATTR_MMIO\` whether the address is treated as RAM at all. "All the parameters passed in must be identical
to those passed in to (and returned by) the mapping API."

The directions of the DMA API and those of a DMA engine are two enums. \`DMA_TO_DEVICE\` and \`DMA_MEM_TO_DEV\` happen to
have the same number, as do \`DMA_FROM_DEVICE\` and \`DMA_DEV_TO_MEM\`; \`DMA_BIDIRECTIONAL\` is the number of
\`DMA_MEM_TO_MEM\`.`,
  limits:
    `Only constants are compared, and sizes only where both are products of constants, the size members of two structures
alike, or those of two mappings of one function. Of what is mapped in one function and released in another only fields
are compared, and only with the mappings that the patch shows.`,
  unless: "the address that is released came from somewhere else than the mapping shown",
  sources: [
    "Documentation/core-api/dma-api.rst: dma_unmap_single()",
    "include/linux/dma-direction.h, include/linux/dmaengine.h",
    "kernel/dma/debug.c: check_unmap(), check_sync()",
    "https://lore.kernel.org/all/20211013144600.2378037-1-arnd@kernel.org/",
  ],
  messages: {
    direction: "`{handle}` is mapped {mapped} but {deed} {other}",
    fixed: "`{handle}` is mapped with the direction `{mapped}` but released {other}, whatever that was",
    attrs:
      "`{handle}` is mapped with attributes {mapped} but released with {other}: DMA_ATTR_MMIO must be repeated",
    hardwired:
      "`{handle}` was released with the direction `{was}` and is now with {other}; nothing shows that it is mapped so",
    forgotten:
      "`{handle}` was released with the attributes `{was}` and is now with {other}, though {map}() still gets `{attrs}`",
    size: "`{handle}` has the size `{mapped}` but is released with `{other}`",
    again: "`{handle}` is released again each time round the loop, which never changes it",
    data:
      "{callee}() wants an enum dma_data_direction; {constant} is an enum dma_transfer_direction, made for DMA engines",
    transfer:
      "{callee}() wants an enum dma_transfer_direction; {constant} is an enum dma_data_direction, made for mappings",
  },
  bad: [
    {
      title: "the patch changes one side of a pair in a struct that is declared elsewhere",
      patch: String.raw`
@@ static int foo_alloc(struct foo *foo, struct foo_buf *buf)
 	buf->cpu = dma_alloc_coherent(foo->dev, buf->table_size, &buf->dma, GFP_KERNEL);
 	if (!buf->cpu)
 		return -ENOMEM;
@@ static void foo_free(struct foo *foo, struct foo_buf *buf)
-	dma_free_coherent(foo->dev, buf->table_size, buf->cpu, buf->dma);
+	dma_free_coherent(foo->dev, buf->size, buf->cpu, buf->dma); /* want: size */
 	kfree(buf);
@@ static int foo_send(struct foo *foo, struct foo_cmd *cmd)
 	cmd->addr = dma_map_single(foo->dev, cmd->data, cmd->len, DMA_TO_DEVICE);
 	if (dma_mapping_error(foo->dev, cmd->addr))
 		return -ENOMEM;
@@ static void foo_done(struct foo *foo, struct foo_cmd *cmd)
-	dma_unmap_single(foo->dev, cmd->addr, cmd->len, DMA_TO_DEVICE);
+	dma_unmap_single(foo->dev, cmd->addr, cmd->len, DMA_FROM_DEVICE); /* want: direction */
 	kfree(cmd);`,
    },
    {
      title: "another direction, a fixed direction, the attribute forgotten",
      patch: String.raw`
+static int foo_run(struct foo *foo, void *buf, phys_addr_t bar, size_t n, enum dma_data_direction dir)
+{
+	dma_addr_t a, b, c;
+
+	a = dma_map_single(foo->dev, buf, n, DMA_TO_DEVICE);
+	b = dma_map_single(foo->dev, foo->buf, n, dir);
+	c = dma_map_phys(foo->dev, bar, n, DMA_TO_DEVICE, DMA_ATTR_MMIO);
+	foo_wait(foo, a, b, c);
+	dma_unmap_single(foo->dev, a, n, DMA_FROM_DEVICE); /* want: direction */
+	dma_unmap_single(foo->dev, b, n, DMA_BIDIRECTIONAL); /* want: fixed */
+	dma_unmap_phys(foo->dev, c, n, DMA_TO_DEVICE, 0); /* want: attrs */
+	return 0;
+}`,
    },
    {
      title: "the patch fixes what was variable, at the release only",
      patch: String.raw`
@@ static void foo_undo(struct foo *foo, struct scatterlist *sgl, int n, enum dma_data_direction dir)
 err_unmap:
-	dma_unmap_sg(foo->dev, sgl, n, dir);
+	dma_unmap_sg(foo->dev, sgl, n, DMA_BIDIRECTIONAL); /* want: hardwired */
 	return ret;
@@ static void foo_release(struct foo *foo)
-	dma_unmap_sgtable(foo->dev, &foo->sgt, DMA_TO_DEVICE, foo->attrs);
+	dma_unmap_sgtable(foo->dev, &foo->sgt, DMA_TO_DEVICE, 0); /* want: forgotten */
 	kfree(foo);
@@ static int foo_get(struct foo *foo, unsigned long attrs)
-	return dma_map_sgtable(foo->dev, &foo->sgt, DMA_TO_DEVICE, foo->attrs);
+	return dma_map_sgtable(foo->dev, &foo->sgt, DMA_TO_DEVICE, attrs);
 }`,
    },
    {
      title: "another size",
      patch: String.raw`
+static int foo_run(struct foo *foo, struct foo_cmd *cmd)
+{
+	dma_addr_t a = dma_map_single(foo->dev, foo->cmd, 64, DMA_TO_DEVICE);
+	dma_addr_t b, c;
+
+	foo->out.buf = dma_alloc_coherent(foo->dev, foo->out.size, &foo->out.addr, GFP_KERNEL);
+	if (!foo->out.buf)
+		return -ENOMEM;
+	b = dma_map_single(foo->dev, cmd->in, cmd->in_len, DMA_TO_DEVICE);
+	c = dma_map_single(foo->dev, cmd->out, cmd->out_len, DMA_FROM_DEVICE);
+	foo_wait(foo, a, b, c);
+	dma_unmap_single(foo->dev, c, cmd->in_len, DMA_FROM_DEVICE); /* want: size */
+	dma_unmap_single(foo->dev, b, cmd->in_len, DMA_TO_DEVICE);
+	dma_unmap_single(foo->dev, a, 128, DMA_TO_DEVICE); /* want: size */
+	dma_free_coherent(foo->dev, foo->in.size, foo->out.buf, foo->out.addr); /* want: size */
+	return 0;
+}`,
    },
    {
      title: "another size or direction where remove() undoes what probe() did",
      patch: String.raw`
+static int foo_probe(struct platform_device *pdev)
+{
+	struct foo *foo = platform_get_drvdata(pdev);
+
+	foo->ring = dma_alloc_coherent(foo->dev, FOO_ENTRIES * sizeof(struct foo_desc), &foo->ring_dma, GFP_KERNEL);
+	if (!foo->ring)
+		return -ENOMEM;
+	foo->status = dma_map_single(foo->dev, foo->buf, SZ_4K, DMA_FROM_DEVICE);
+	return foo_start(foo, dma_mapping_error(foo->dev, foo->status));
+}
+
+static void foo_poll(struct foo *foo)
+{
+	dma_sync_single_for_cpu(foo->dev, foo->status, 64, DMA_TO_DEVICE); /* want: direction */
+}
+
+static void foo_remove(struct platform_device *pdev)
+{
+	struct foo *foo = platform_get_drvdata(pdev);
+
+	dma_unmap_single(foo->dev, foo->status, SZ_4K, DMA_TO_DEVICE); /* want: direction */
+	dma_free_coherent(foo->dev, FOO_ENTRIES, foo->ring, foo->ring_dma); /* want: size */
+}`,
    },
    {
      title: "the wrong index when it is taken down",
      patch: String.raw`
+static void foo_undo(struct foo *foo, struct foo_list *list, int i)
+{
+	int j;
+
+	for (j = 0; j < i; j++) {
+		dma_unmap_single(foo->dev, list[i].addr, list[i].len, DMA_TO_DEVICE); /* want: again */
+		list[j].addr = 0;
+	}
+}`,
    },
    {
      title: "the two enums mixed up",
      patch: String.raw`
+static int foo_submit(struct foo *foo, size_t n)
+{
+	struct dma_async_tx_descriptor *tx;
+
+	dma_sync_single_for_device(foo->dev, foo->addr, n, DMA_MEM_TO_DEV); /* want: data */
+	tx = dmaengine_prep_slave_single(foo->chan, foo->addr, n, DMA_TO_DEVICE, 0); /* want: transfer */
+	return foo_issue(foo, tx);
+}`,
    },
  ],
  good: [
    {
      title: "the patch makes them agree, or changes both",
      patch: String.raw`
@@ static int foo_alloc(struct foo *foo, struct foo_buf *buf)
-	buf->cpu = dma_alloc_coherent(foo->dev, buf->table_size, &buf->dma, GFP_KERNEL);
+	buf->cpu = dma_alloc_coherent(foo->dev, buf->size, &buf->dma, GFP_KERNEL);
 	if (!buf->cpu)
 		return -ENOMEM;
@@ static void foo_free(struct foo *foo, struct foo_buf *buf)
-	dma_free_coherent(foo->dev, buf->table_size, buf->cpu, buf->dma);
+	dma_free_coherent(foo->dev, buf->size, buf->cpu, buf->dma); /* ok: size */
 	kfree(buf);
@@ static int foo_send(struct foo *foo, struct foo_cmd *cmd)
 	cmd->addr = dma_map_single(foo->dev, cmd->data, cmd->len, DMA_TO_DEVICE);
 	if (dma_mapping_error(foo->dev, cmd->addr))
 		return -ENOMEM;
@@ static void foo_done(struct foo *foo, struct foo_cmd *cmd)
-	dma_unmap_single(foo->dev, cmd->addr, cmd->len, DMA_FROM_DEVICE);
+	dma_unmap_single(foo->dev, cmd->addr, cmd->len, DMA_TO_DEVICE); /* ok: direction */
 	kfree(cmd);`,
    },
    {
      title: "everything as it was mapped",
      patch: String.raw`
+static int foo_run(struct foo *foo, void *buf, size_t n, enum dma_data_direction dir)
+{
+	dma_addr_t a = dma_map_single(foo->dev, buf, n, dir);
+	dma_addr_t b = dma_map_single(foo->dev, foo->buf, SZ_4K, DMA_BIDIRECTIONAL);
+
+	dma_sync_single_for_cpu(foo->dev, b, 64, DMA_FROM_DEVICE); /* ok: direction, size */
+	if (dir == DMA_TO_DEVICE)
+		dma_unmap_single(foo->dev, a, n, DMA_TO_DEVICE); /* ok: fixed */
+	else
+		dma_unmap_single(foo->dev, a, n, DMA_FROM_DEVICE); /* ok: fixed */
+	dma_unmap_single(foo->dev, b, PAGE_SIZE, DMA_BIDIRECTIONAL); /* ok: size */
+	return 0;
+}`,
    },
    {
      title: "fixed at both ends",
      patch: String.raw`
@@ static int foo_get(struct foo *foo)
-	foo->n = dma_map_sg(foo->dev, foo->sgl, 4, dir);
+	foo->n = dma_map_sg(foo->dev, foo->sgl, 4, DMA_TO_DEVICE);
@@ static void foo_release(struct foo *foo)
-	dma_unmap_sg(foo->dev, foo->sgl, 4, dir);
+	dma_unmap_sg(foo->dev, foo->sgl, 4, DMA_TO_DEVICE); /* ok: hardwired */
 	kfree(foo);`,
    },
    {
      title: "a struct for both directions, a field that others set, a list of constants",
      patch: String.raw`
+struct foo_slot {
+	dma_addr_t dma;
+	dma_addr_t other;
+};
+
+static void foo_send(struct foo *foo, struct foo_slot *slot)
+{
+	slot->dma = dma_map_single(foo->dev, foo->buf, SZ_4K, DMA_TO_DEVICE);
+	foo_kick(foo, dma_mapping_error(foo->dev, slot->dma));
+}
+
+static void foo_refill(struct foo *foo, struct foo_slot *entry, struct foo_slot *spare)
+{
+	dma_addr_t addr = dma_map_single(foo->dev, foo->buf, FOO_LEN, DMA_FROM_DEVICE);
+
+	if (dma_mapping_error(foo->dev, addr))
+		return;
+	entry->dma = addr;
+	spare->other = foo_take(foo);
+}
+
+static void foo_clean(struct foo *foo, struct foo_slot *slot)
+{
+	dma_unmap_single(foo->dev, slot->dma, FOO_OTHER_LEN, DMA_FROM_DEVICE); /* ok: direction, size */
+	dma_unmap_single(foo->dev, slot->other, SZ_4K, DMA_TO_DEVICE); /* ok: direction, size */
+}`,
    },
    {
      title: "one variable for two mappings",
      patch: String.raw`
+static int foo_run(struct foo *foo, void *buf, size_t n)
+{
+	dma_addr_t a = dma_map_single(foo->dev, buf, n, DMA_TO_DEVICE);
+
+	foo_wait(foo, a);
+	dma_unmap_single(foo->dev, a, n, DMA_TO_DEVICE);
+	a = dma_map_single(foo->dev, foo->buf, n, DMA_FROM_DEVICE);
+	foo_wait(foo, a);
+	dma_unmap_single(foo->dev, a, n, DMA_FROM_DEVICE); /* ok: direction */
+	return 0;
+}`,
    },
    {
      title: "loops that move on",
      patch: String.raw`
+static void foo_undo(struct foo *foo, struct foo_desc *desc, int i)
+{
+	while (--i >= 0)
+		dma_unmap_single(foo->dev, foo->addr[i], SZ_4K, DMA_TO_DEVICE); /* ok: again */
+	for (; desc; desc = desc->next)
+		dma_unmap_single(foo->dev, desc->addr, SZ_4K, DMA_TO_DEVICE); /* ok: again */
+	while (foo_pop(foo))
+		dma_unmap_single(foo->dev, foo->last, SZ_4K, DMA_TO_DEVICE); /* ok: again */
+	do {
+		if (foo_try(i))
+			continue;
+		dma_unmap_single(foo->dev, foo->one, SZ_4K, DMA_TO_DEVICE); /* ok: again */
+		return;
+	} while (foo->left);
+}`,
    },
    {
      title: "each enum where it belongs",
      patch: String.raw`
+static int foo_submit(struct foo *foo, size_t n)
+{
+	dma_sync_single_for_device(foo->dev, foo->addr, n, DMA_TO_DEVICE); /* ok: data */
+	return foo_issue(foo, dmaengine_prep_slave_single(foo->chan, foo->addr, n, DMA_MEM_TO_DEV, 0)); /* ok: transfer */
+}`,
    },
  ],
  *check(fn, use) {
    if (isMapper(fn.file)) return;
    const values = use(flow, fn);
    yield* enums(fn, values);
    for (const pair of use(pairs, fn)) {
      if (pair.kind === "check") continue;
      const draft = direction(pair, fn, values) ??
        (pair.kind === "release" ? attributes(pair, fn) ?? size(pair, fn, values, use) : null);
      if (draft === null || (draft.say === "direction" && isMappedAnew(pair.use, fn, values, use))) continue;
      yield draft;
    }
    const { releases, syncs, mappings } = use(handling, fn);
    const paired = new Set(use(pairs, fn).map((pair) => pair.use.call));
    for (const one of [...releases, ...syncs]) {
      if (!paired.has(one.call)) yield* ofField(one, fn, use);
    }
    for (const release of releases) {
      const draft = reduced(release, fn, use);
      if (draft !== null) yield draft;
      if (!isAgain(release, mappings, values)) continue;
      yield {
        at: release.call,
        say: "again",
        with: { handle: fn.file.textOf(release.handleExpr!) },
        subject: `${release.handle} ${release.call.name}`,
      };
    }
  },
});

/** A constant of the other enum. */
function* enums(fn: FunctionView, values: Flow): Generator<Draft<Key>> {
  for (const { call, api } of values.calls) {
    const wantsData = api?.direction == null ? undefined : call.args[api.direction];
    const transfer = TRANSFER_PARAMETERS.find((row) => row.name === call.name);
    const wantsTransfer = transfer === undefined ? undefined : call.args[transfer.argument];
    if (wantsData?.kind === "ident" && OF_TRANSFER.has(wantsData.name)) {
      yield mixed(wantsData, call, "data", OF_TRANSFER.get(wantsData.name)!, OF_DATA, fn);
    }
    if (wantsTransfer?.kind === "ident" && OF_DATA.has(wantsTransfer.name)) {
      yield mixed(wantsTransfer, call, "transfer", OF_DATA.get(wantsTransfer.name)!, OF_TRANSFER, fn);
    }
  }
}

function mixed(
  at: Expr & { kind: "ident" },
  call: Call,
  say: "data" | "transfer",
  value: number,
  wanted: ReadonlyMap<string, number>,
  fn: FunctionView,
): Draft<Key> {
  const same = [...wanted].find(([, other]) => other === value)?.[0] ?? null;
  const opposite = value === 1 || value === 2;
  return {
    at,
    say,
    with: { callee: call.name, constant: at.name },
    because: [{
      at,
      note: same === null ? `${value} is nothing in the other enum` : `the compiler sees ${value}: ${same}`,
    }],
    ...(opposite && same !== null ? { wanted: same, severity: "warning" as const } : {}),
    subject: `${call.name} ${fn.file.textOf(call.args[1] ?? call)}`,
  };
}

const argument = (one: Use_, at: number | null): Expr | null =>
  at === null ? null : one.call.args[at] ?? null;

function direction(pair: Pair, fn: FunctionView, values: Flow): Draft<Key> | null {
  const own = argument(pair.use, pair.use.api.direction);
  if (own?.kind !== "ident" || !OF_DATA.has(own.name)) return null;
  const mapped = pair.sources.map(({ mapping }) => argument(mapping, mapping.api.direction));
  if (mapped.some((expr) => expr?.kind !== "ident")) return null;
  const names = mapped.map((expr) => (expr as Expr & { kind: "ident" }).name);
  const source = pair.sources[0]!;
  const first = mapped[0]!;
  const base = {
    at: broughtIn(fn, own, first),
    because: [{ at: source.mapping.call, note: `mapped with \`${names[0]}\`` }],
    wanted: names[0]!,
    subject: `${pair.use.handle} ${pair.use.call.name}`,
    ...(source.viaHole ? { severity: "warning" as const, confidence: "medium" as const } : {}),
  };
  const more = { handle: pair.use.handle!, mapped: names[0]!, other: own.name, deed: DEED[pair.kind] };
  if (names.every((name) => OF_DATA.has(name))) {
    if (names.includes(own.name)) return null;
    // A part of a two-way mapping may be synced one way.
    if (pair.kind === "sync" && names.includes("DMA_BIDIRECTIONAL")) return null;
    return { ...base, say: "direction", with: more };
  }
  if (pair.kind !== "release") return null;
  const param = fn.node.params.find((p) => names.every((name) => name === p.name));
  if (param === undefined || !/^enum dma_data_direction$/.test(param.type)) return null;
  if (asks(values, param.name)) return null;
  return { ...base, say: "fixed", with: more, severity: "warning", confidence: "medium" };
}

/** Whether a function of the patch that is called here maps what goes by the same name once more. */
function isMappedAnew(release: Use_, fn: FunctionView, values: Flow, use: Use): boolean {
  const field = /\w+$/.exec(release.handle ?? "")?.[0];
  const called = new Set(values.calls.filter(({ api }) => api === null).map(({ call }) => call.name));
  return field !== undefined &&
    use.side.files.some((file) =>
      file.functions.some((other) =>
        other !== fn && called.has(other.name) &&
        use(handling, other).mappings.some(({ handle }) => /\w+$/.exec(handle ?? "")?.[0] === field)
      )
    );
}

/** Whether the function asks what a parameter is, or sets it. */
function asks(values: Flow, name: string): boolean {
  const mentionsIt = (expr: Expr) => {
    let found = false;
    walkExpr(expr, (inner) => found ||= inner.kind === "ident" && inner.name === name);
    return found;
  };
  return values.stores.some((store) => store.place === name) ||
    values.cfg.nodes.some((node) =>
      node.expr !== null && (node.kind === "test" || node.kind === "switch") && mentionsIt(node.expr) &&
      node.expr.kind !== "call"
    );
}

/** A release whose direction or attributes the patch makes a constant, where they were variable. */
function reduced(release: Use_, fn: FunctionView, use: Use): Draft<Key> | null {
  const { call, api } = release;
  if (api.role !== "unmap" || release.handle === null) return null;
  const former = formerCall(fn.file, call);
  if (former?.index == null) return null;
  const expr = call.args[former.index]!;
  const was = former.args[former.index]!;
  const other = fn.file.textOf(expr);
  const base = {
    at: expr,
    confidence: "medium" as const,
    severity: "warning" as const,
    wanted: was,
    subject: `${release.handle} ${call.name}`,
  };
  const text = {
    handle: release.handleExpr === null ? release.handle : fn.file.textOf(release.handleExpr),
    was,
    other,
  };
  const family = (one: Use_) => one.api.families.some((name) => api.families.includes(name));
  const mappings = use.side.files.flatMap((file) => file.functions)
    .flatMap((one) => use(handling, one).mappings.map((mapping) => ({ file: one.file, mapping })))
    .filter(({ mapping }) => family(mapping));
  if (former.index === api.direction) {
    // What else a variable of another name holds, nobody can tell.
    if (expr.kind !== "ident" || !OF_DATA.has(other) || !/^(?:data_|dma_)?dir(?:ection)?$/.test(was)) {
      return null;
    }
    // A declaration that goes too says that it is one direction from now on, as does a mapping.
    if (/\benum dma_\w+direction \w+/.test(linesOf(fn.file, "removed"))) return null;
    const isMapped = mappings.some(({ file, mapping }) =>
      mapping.api.direction !== null &&
      file.textOf(mapping.call.args[mapping.api.direction] ?? mapping.call) === other
    );
    return isMapped ? null : {
      ...base,
      say: "hardwired",
      with: text,
      unless: "the mapping, which is not shown, has that direction, too",
    };
  }
  if (former.index !== api.attrs || other !== "0" || /^(?:0|[A-Z_]+)$/.test(was)) return null;
  const variable = mappings.map(({ file, mapping }) => ({
    mapping,
    attrs: mapping.api.attrs === null || mapping.call.args[mapping.api.attrs] === undefined
      ? null
      : file.textOf(mapping.call.args[mapping.api.attrs]!),
  })).find(({ mapping, attrs }) =>
    attrs !== null && /[a-z]/.test(attrs) && handleKey(mapping.handle ?? "") === handleKey(release.handle!)
  );
  return variable === undefined ? null : {
    ...base,
    say: "forgotten",
    with: { ...text, map: variable.mapping.call.name, attrs: variable.attrs! },
  };
}

/** A field that other functions map, all of them with another direction or another size. */
function* ofField(one: Use_, fn: FunctionView, use: Use): Generator<Draft<Key>> {
  const deed = one.api.role === "sync" ? "synced" as const : "released" as const;
  const found = mappedElsewhere(one, fn, use);
  const isKin = ({ mapping }: Elsewhere) =>
    mapping.api.families.some((name) => one.api.families.includes(name));
  const first = found.find(({ by }) => by.file === fn.file) ?? found[0];
  if (first === undefined || one.handleExpr === null || !found.every(isKin)) return;
  const isAll = isOneField(one, found, fn, use);
  const base = {
    severity: "warning" as const,
    confidence: "medium" as const,
    because: [{
      at: first.mapping.call,
      note: `mapped here, in ${first.by.isNamed ? `${first.by.name}()` : "another function"}`,
      file: first.by.file,
    }],
    subject: `${one.handle} ${one.call.name}`,
  };
  const handle = fn.file.textOf(one.handleExpr);
  const own = argument(one, one.api.direction);
  const mapped = found.map(({ mapping }) => argument(mapping, mapping.api.direction));
  const names = mapped.map((expr) => expr?.kind === "ident" && OF_DATA.has(expr.name) ? expr.name : null);
  if (
    (isAll || agreedBefore(one, "direction", found, fn) || isOddOne(one, names[0]!, fn, use)) &&
    own?.kind === "ident" && OF_DATA.has(own.name) &&
    names.every((name) => name !== null && name !== own.name) &&
    !(deed === "synced" && names.includes("DMA_BIDIRECTIONAL"))
  ) {
    yield {
      ...base,
      at: own,
      say: "direction",
      with: { handle, mapped: names[0]!, other: own.name, deed },
      wanted: names[0]!,
    };
    return;
  }
  const size = argument(one, one.api.size);
  const sizes = found.map(({ mapping }) => argument(mapping, mapping.api.size));
  if (deed === "synced" || size === null) return;
  const isOther = isAll && sizes.every((expr) => expr !== null && isOtherConstant(expr, size));
  if (!isOther && !agreedBefore(one, "size", found, fn)) return;
  const wanted = first.by.file.textOf(argument(first.mapping, first.mapping.api.size)!);
  yield {
    ...base,
    at: size,
    say: "size",
    with: { handle, mapped: wanted, other: fn.file.textOf(size) },
    wanted,
  };
}

/** Whether the whole file is shown, and everybody else in it that releases or syncs the field has that direction. */
function isOddOne(one: Use_, mapped: string | null, fn: FunctionView, use: Use): boolean {
  if (!fn.file.isWhole || mapped === null) return false;
  const others = fn.file.functions.flatMap((by) => {
    const { releases, syncs } = use(handling, by);
    return [...releases, ...syncs].filter((other) => other !== one && isSameField(one, fn, other, by, use));
  });
  return others.length > 0 && others.every((other) => {
    const direction = argument(other, other.api.direction);
    return direction?.kind === "ident" && direction.name === mapped;
  });
}

/**
 * Whether the patch changes just this argument of the call, and it was what all the mappings of the field have: the
 * pair agreed, and does no more. Other mappings, which are not shown, would not have made it agree.
 */
function agreedBefore(
  one: Use_,
  of: "direction" | "size",
  found: readonly Elsewhere[],
  fn: FunctionView,
): boolean {
  const former = formerCall(fn.file, one.call);
  if (former === null || former.index === null || former.index !== one.api[of]) return false;
  const was = former.args[former.index]!;
  const now = fn.file.textOf(one.call.args[former.index]!);
  return found.every(({ mapping, by }) => {
    const expr = argument(mapping, mapping.api[of]);
    if (expr === null || by.file.isChanged(expr)) return false;
    const text = by.file.textOf(expr);
    return text === was && text !== now;
  });
}

function attributes(pair: Pair, fn: FunctionView): Draft<Key> | null {
  const text = (one: Use_) => {
    const expr = argument(one, one.api.attrs);
    return expr === null ? null : fn.file.textOf(expr);
  };
  const isConstant = (attrs: string | null): attrs is string =>
    attrs !== null && /^(?:0|\(?DMA_ATTR_\w+(?: \| DMA_ATTR_\w+)*\)?)$/.test(attrs);
  const own = text(pair.use);
  if (!isConstant(own)) return null;
  const isMmio = (attrs: string) => attrs.includes("DMA_ATTR_MMIO");
  const mapped = pair.sources.map(({ mapping }) =>
    mapping.api.families.some((family) => pair.use.api.families.includes(family)) ? text(mapping) : null
  );
  if (!mapped.every(isConstant) || mapped.some((attrs) => isMmio(attrs!) === isMmio(own))) return null;
  const { mapping } = pair.sources[0]!;
  return {
    at: broughtIn(fn, pair.use.call, mapping.call),
    say: "attrs",
    with: { handle: pair.use.handle!, mapped: mapped[0]!, other: own },
    because: [{ at: mapping.call, note: `mapped with ${mapped[0]}` }],
    wanted: mapped[0]!,
    subject: `${pair.use.handle} ${pair.use.call.name}`,
  };
}

function size(pair: Pair, fn: FunctionView, values: Flow, use: Use): Draft<Key> | null {
  const own = argument(pair.use, pair.use.api.size);
  if (own === null || pair.use.api.families.includes("iova") || pair.use.api.families.includes("iommu")) {
    return null;
  }
  const ofOthers = use(handling, fn).mappings.filter((mapping) =>
    pair.sources.every((source) => source.mapping !== mapping)
  ).map((mapping) => argument(mapping, mapping.api.size)).filter((expr) => expr !== null);
  for (const { mapping } of pair.sources) {
    const mapped = argument(mapping, mapping.api.size);
    if (mapped === null) return null;
    if (
      !isOtherSize(pair.use.handle!, mapped, own, values) && !isSizeOfOther(mapped, own, ofOthers, values)
    ) {
      return null;
    }
  }
  const { mapping, viaHole } = pair.sources[0]!;
  const mapped = argument(mapping, mapping.api.size)!;
  return {
    at: broughtIn(fn, own, mapped),
    say: "size",
    with: { handle: pair.use.handle!, mapped: fn.file.textOf(mapped), other: fn.file.textOf(own) },
    because: [{ at: mapping.call, note: `mapped with the size \`${fn.file.textOf(mapped)}\`` }],
    wanted: fn.file.textOf(mapped),
    ...(viaHole || own.kind !== "number"
      ? { severity: "warning" as const, confidence: "medium" as const }
      : {}),
    subject: `${pair.use.handle} ${pair.use.call.name}`,
  };
}

/** `cmd->in_len` where `cmd->out_len` was mapped, and `cmd->in_len` is what another mapping of the function is long. */
function isSizeOfOther(mapped: Expr, own: Expr, ofOthers: readonly Expr[], values: Flow): boolean {
  if (mapped.kind !== "member" || own.kind !== "member" || mapped.field === own.field) return false;
  const [was, is] = [values.canonical(mapped), values.canonical(own)];
  if (values.canonical(mapped.object) !== values.canonical(own.object)) return false;
  const isSet = values.stores.some(({ place }) => place === was || place === is);
  return !isSet && ofOthers.some((other) => values.canonical(other) === is) &&
    !ofOthers.some((other) => values.canonical(other) === was);
}

/** Two constants, or the size of the handle's own structure and that of another one of the kind. */
function isOtherSize(handle: string, mapped: Expr, own: Expr, values: Flow): boolean {
  if (isOtherConstant(mapped, own)) return true;
  const member = (form: string) => /^(.+)(?:->|\.)(\w+)$/.exec(form);
  const [of, at, by] = [
    member(handle.replace(/^&/, "")),
    member(values.canonical(mapped)),
    member(values.canonical(own)),
  ];
  return of !== null && at !== null && by !== null && at[1] === of[1] && by[1] !== of[1] && at[2] === by[2] &&
    handleKey(by[1]!) !== handleKey(of[1]!) && member(by[1]!)?.[1] === member(of[1]!)?.[1] &&
    member(by[1]!) !== null;
}

/** Whether a loop comes back to the release and its handle is still the same. */
function isAgain(release: Use_, mappings: readonly Use_[], values: Flow): boolean {
  const { handleExpr, node } = release;
  if (handleExpr === null || release.handle === null || node.loops.length === 0) return false;
  const names = new Set<string>();
  let isPlain = true;
  walkExpr(handleExpr, (inner) => {
    if (inner.kind === "ident") names.add(inner.name);
    if (
      inner.kind === "call" && !PASSES.has(inner.name) && !LOAD.has(inner.name) &&
      inner.name !== "sg_dma_address"
    ) {
      isPlain = false;
    }
    if (inner.kind === "assign" || inner.kind === "update" || inner.kind === "unknown") isPlain = false;
  });
  // Hardware and queues move on by themselves: only an index that is a plain name is known to stand still.
  const index = indexOf(handleExpr);
  if (!isPlain || index === null || !asksFor(node, index)) return false;
  // Names that a local stands for move with what they were read from.
  for (const word of release.handle.match(/[A-Za-z_]\w*/g) ?? []) names.add(word);
  const key = release.handle.replace(/^&/, "");
  const isCounted = countsOther(node, names);
  const found = search(node, (at) => {
    if (at === node) return "hit";
    return (at.kind === "hole" && !isCounted) || changes(at, names, key, mappings, values) ? "stop" : "go";
  });
  return found.hit !== null && !changes(node, names, key, mappings, values);
}

/** The name that picks the element: `i` of `list[i].addr`. */
function indexOf(expr: Expr): string | null {
  let found: string | null = null;
  walkExpr(expr, (inner) => {
    if (inner.kind === "index" && inner.index.kind === "ident") found = inner.index.name;
  });
  return found;
}

/** Whether the test of the innermost loop is about the name. */
function asksFor(node: CfgNode, name: string): boolean {
  const loop = node.loops.at(-1);
  if (loop?.kind !== "loop" || loop.test === null) return false;
  let found = false;
  walkExpr(loop.test, (inner) => found ||= inner.kind === "ident" && inner.name === name);
  return found;
}

/**
 * Whether the innermost loop is a `for` that counts another name up to one of the handle's: what the patch does not
 * show of its body will not move the bound.
 */
function countsOther(node: CfgNode, names: ReadonlySet<string>): boolean {
  const loop = node.loops.at(-1);
  if (loop?.kind !== "loop" || loop.form !== "for" || loop.step === null || loop.test === null) return false;
  const { step, test } = loop;
  if (step.kind !== "update" || step.operand.kind !== "ident" || names.has(step.operand.name)) return false;
  const counter = step.operand.name;
  return test.kind === "binary" && test.left.kind === "ident" && test.left.name === counter &&
    test.right.kind === "ident" && names.has(test.right.name);
}

/** Whether a node may set one of the names, or the place itself. */
function changes(
  node: CfgNode,
  names: ReadonlySet<string>,
  key: string,
  mappings: readonly Use_[],
  values: Flow,
): boolean {
  if (mappings.some((mapping) => mapping.node === node)) return true;
  if (node.decl !== null && names.has(node.decl.name)) return true;
  if (values.stores.some((s) => s.node === node && (names.has(s.place) || isWithin(key, s.place)))) {
    return true;
  }
  const expr = node.expr ?? node.decl?.init ?? null;
  if (expr === null) return false;
  let found = false;
  walkExpr(expr, (inner) => {
    if (inner.kind === "update" || inner.kind === "assign") {
      const target = inner.kind === "update" ? inner.operand : inner.target;
      if (target.kind === "ident" && names.has(target.name)) found = true;
    }
    if (inner.kind !== "call") return;
    const api = values.calls.find((site) => site.call === inner)?.api ?? null;
    if (api !== null && node.kind !== "each") return;
    for (const arg of inner.args) {
      const root = arg.kind === "unary" && arg.op === "&" ? arg.operand : arg;
      if (node.kind === "each" && root.kind === "ident" && names.has(root.name)) found = true;
      if (
        isWithin(key, values.canonical(root)) ||
        (arg !== root && root.kind === "ident" && names.has(root.name))
      ) {
        found = true;
      }
    }
  });
  return found;
}

/** Whether the place lies in, or behind, the object of that form. */
const isWithin = (place: string, object: string) =>
  object !== "" &&
  (place === object || (place.startsWith(object) && /^(?:->|\.|\[)/.test(place.slice(object.length))));
