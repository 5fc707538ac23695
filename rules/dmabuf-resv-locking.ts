/**
 * D03: the reservation lock of a dma-buf is not held where the convention wants it, or held where it does not. Only
 * what the function itself shows is concluded: a lock that the caller may hold is never called missing.
 *
 * @module
 */

import type { Call } from "./engine/ast.ts";
import { asCall, search } from "./engine/cfg.ts";
import { defineRule, type Draft, type FunctionView, type Use } from "./engine/rule.ts";
import { attachmentOf } from "./facts/device.ts";
import { callbacks } from "./facts/dmabuf.ts";
import { type CallSite, type Flow, flow } from "./facts/flow.ts";
import { mentioned } from "./facts/mention.ts";
import { isTest } from "./facts/place.ts";
import { LOCKED_CALLBACKS, LOCKING, LOCKING_SINCE } from "./kernel/mod.ts";

const BY_NAME = new Map(LOCKING.map((row) => [row.name, row]));
/** The core of dma-buf, which is the other side of the convention. */
const CORE = /^drivers\/dma-buf\/dma-(?:buf|buf-mapping|resv)\.c$/;
const LOCK = /^dma_resv_lock(?:_slow)?(?:_interruptible)?$/;
/** Whatever may take or check the lock: dma_resv_lock(), ttm_bo_reserve(), drm_exec_lock_obj(), foo_lock(). */
const MAY_LOCK = /lock|reserve|drm_exec|_resv_|assert_held/i;
const OTHER_LOCK = /^(?:mutex|spin|raw_spin|read|write|rcu|srcu|local|task|device)_\w*lock/;
/** Names that are newer than the convention: the kernel is not told, but the code tells. */
const NEW =
  /\bdma_buf_(?:(?:un)?map_attachment|v(?:un)?map)_unlocked\b|MODULE_IMPORT_NS\("DMA_BUF"\)|\binvalidate_mappings\b|\bdma_buf_invalidate_mappings\b|\bdma_buf_phys_vec_to_sgt\b|\bDMA_ATTR_MMIO\b|\bp2pdma_provider\b/;

export default defineRule({
  id: "dmabuf-resv-locking",
  since: "0.1.0",
  code: "D03",
  severity: "error",
  confidence: "high",
  category: "dma-buf",
  scope: "function",
  kernel: { since: LOCKING_SINCE },
  summary: "the reservation lock of a dma-buf is missing, dropped too early, or taken twice",
  why:
    `Since v6.2 all users of dma-buf follow one locking convention, which stands in a comment of dma-buf.c. An
importer holds the reservation lock of the buffer for \`dma_buf_map_attachment()\`, \`dma_buf_unmap_attachment()\`,
\`dma_buf_pin()\`, \`dma_buf_unpin()\` and \`dma_buf_vmap()\`, or calls the \`_unlocked\` flavour; lockdep asserts it.
Without the lock the mapping races with the exporter that moves or revokes the buffer, and the importer goes on using
addresses of memory that is somebody else's by then. \`dma_buf_attach()\`, \`dma_buf_detach()\` and the \`_unlocked\`
functions take the lock themselves, and the callbacks of an exporter for mapping and pinning are called with it: taking
it again there is a deadlock. An exporter holds it for \`dma_buf_move_notify()\` (\`dma_buf_invalidate_mappings()\` since
v7.1).`,
  limits:
    `A function that neither locks nor attaches is taken to be called with the lock held. A lock of another object
that shares the reservation of the buffer (\`obj->resv\`) is not known to be the same. Where neither \`--kernel\` nor
the file tells that the kernel is newer than v6.2, the confidence is low.`,
  unless: "the patch is for a kernel older than v6.2",
  sources: [
    "drivers/dma-buf/dma-buf.c: DOC: locking convention",
    "drivers/dma-buf/dma-buf.c: dma_buf_map_attachment(): dma_resv_assert_held()",
    "https://lore.kernel.org/all/20260609001758.GG2764304@ziepe.ca/",
  ],
  messages: {
    unheld:
      "{callee}() wants the reservation lock of the buffer held, and {other}() next to it wants it free: {instead}",
    dropped: "{callee}() wants the reservation lock of `{buffer}`, which was unlocked before",
    deadlock: "`{lock}` is held already when the core calls {callback}: locking it again deadlocks",
    twice: "{callee}() takes the reservation lock of `{buffer}`, which is held here: it deadlocks",
  },
  bad: [
    {
      title: "mapped right after attaching",
      kernel: "6.12",
      patch: String.raw`
+static int foo_import(struct foo *foo, struct dma_buf *buf)
+{
+	struct dma_buf_attachment *attach = dma_buf_attach(buf, foo->dev);
+	struct sg_table *sgt;
+
+	if (IS_ERR(attach))
+		return PTR_ERR(attach);
+	sgt = dma_buf_map_attachment(attach, DMA_TO_DEVICE); /* want: unheld */
+	if (IS_ERR(sgt)) {
+		dma_buf_detach(buf, attach);
+		return PTR_ERR(sgt);
+	}
+	foo->sgt = sgt;
+	return 0;
+}
+
+static void foo_release(struct foo *foo)
+{
+	dma_buf_unpin(foo->attach); /* want: unheld */
+	dma_buf_detach(foo->buf, foo->attach);
+}`,
    },
    {
      title: "told after unlocking",
      kernel: "6.12",
      patch: String.raw`
+static void foo_revoke(struct foo *foo)
+{
+	dma_resv_lock(foo->buf->resv, NULL);
+	foo->revoked = true;
+	dma_resv_unlock(foo->buf->resv);
+	dma_buf_move_notify(foo->buf); /* want: dropped */
+}`,
    },
    {
      title: "locked in a callback, attached under the lock",
      kernel: "6.12",
      patch: String.raw`
+static struct sg_table *foo_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
+{
+	struct foo *foo = attach->dmabuf->priv;
+	struct sg_table *sgt;
+
+	dma_resv_lock(attach->dmabuf->resv, NULL); /* want: deadlock */
+	sgt = foo_table(foo, attach->dev, dir);
+	dma_resv_unlock(attach->dmabuf->resv);
+	return sgt;
+}
+
+static const struct dma_buf_ops foo_ops = {
+	.map_dma_buf = foo_map,
+};
+
+static struct sg_table *foo_get(struct foo *foo, struct dma_buf_attachment *attach)
+{
+	struct sg_table *sgt;
+
+	dma_resv_lock(attach->dmabuf->resv, NULL);
+	sgt = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE); /* want: twice */
+	dma_resv_unlock(attach->dmabuf->resv);
+	return sgt;
+}`,
    },
  ],
  good: [
    {
      title: "locked, or the flavour that locks",
      kernel: "6.12",
      patch: String.raw`
+static int foo_import(struct foo *foo, struct dma_buf *buf)
+{
+	struct dma_buf_attachment *attach = dma_buf_attach(buf, foo->dev);
+	struct sg_table *sgt;
+
+	if (IS_ERR(attach))
+		return PTR_ERR(attach);
+	dma_resv_lock(buf->resv, NULL);
+	sgt = dma_buf_map_attachment(attach, DMA_TO_DEVICE); /* ok: unheld */
+	dma_resv_unlock(buf->resv);
+	if (IS_ERR(sgt))
+		dma_buf_detach(buf, attach); /* ok: twice */
+	else
+		dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_TO_DEVICE); /* ok: twice */
+	return PTR_ERR_OR_ZERO(sgt);
+}`,
    },
    {
      title: "the caller holds it",
      kernel: "6.12",
      patch: String.raw`
+static struct sg_table *foo_remap(struct foo *foo)
+{
+	dma_buf_unmap_attachment(foo->attach, foo->sgt, DMA_TO_DEVICE); /* ok: unheld */
+	return dma_buf_map_attachment(foo->attach, DMA_TO_DEVICE); /* ok: unheld */
+}
+
+static void foo_evict(struct foo *foo)
+{
+	dma_buf_move_notify(foo->buf); /* ok: dropped */
+}`,
    },
    {
      title: "an importer's wrapper looks like a callback",
      kernel: "6.12",
      patch: String.raw`
+static struct sg_table *foo_map_locked(struct dma_buf_attachment *attach, enum dma_data_direction dir)
+{
+	struct sg_table *sgt;
+
+	dma_resv_lock(attach->dmabuf->resv, NULL); /* ok: deadlock */
+	sgt = dma_buf_map_attachment(attach, dir); /* ok: unheld */
+	dma_resv_unlock(attach->dmabuf->resv);
+	return sgt;
+}`,
    },
    {
      title: "before the convention",
      kernel: "6.1",
      patch: String.raw`
+static struct sg_table *foo_import(struct foo *foo, struct dma_buf *buf)
+{
+	foo->attach = dma_buf_attach(buf, foo->dev);
+	return dma_buf_map_attachment(foo->attach, DMA_TO_DEVICE); /* ok: unheld */
+}`,
    },
  ],
  *check(fn, use) {
    if (CORE.test(fn.file.path) || isTest(fn.file)) return;
    const values = use(flow, fn);
    const isTold = use.side.kernel !== null || mentioned(fn.file, NEW);
    const drafts = [
      ...deadlocks(fn, values, use),
      ...doubles(values),
      ...drops(values),
      ...unheld(fn, values, use),
    ];
    for (const draft of drafts) yield isTold ? draft : { ...draft, confidence: "low" };
  },
});

type Found = Draft<"unheld" | "dropped" | "deadlock" | "twice">;

const isMayLock = ({ call }: CallSite) =>
  MAY_LOCK.test(call.name) && !OTHER_LOCK.test(call.name) && !BY_NAME.has(call.name);

/** Calls that want the lock beside calls for the same object that want it free, with nothing that could lock. */
function* unheld(fn: FunctionView, values: Flow, use: Use): Iterable<Found> {
  if (values.calls.some(isMayLock) || callbackOf(fn, use) !== null) return;
  const free = values.calls.filter(({ call }) => {
    const row = BY_NAME.get(call.name);
    return row !== undefined && row.resv !== "held";
  });
  if (free.length === 0) return;
  const holes = values.cfg.nodes.filter(({ kind }) => kind === "hole");
  for (const site of values.calls) {
    const { call, node } = site;
    if (BY_NAME.get(call.name)?.resv !== "held") continue;
    const form = call.args[0] === undefined ? "" : values.canonical(call.args[0]);
    const other = free.find((next) =>
      formsOf(next, values).includes(form) &&
      [[next.node, node], [node, next.node]].some(([from, to]) =>
        search(from!, (at) => at === to ? "hit" : holes.includes(at) ? "stop" : "go").hit !== null
      )
    );
    if (other === undefined) continue;
    const flavour = `${call.name}_unlocked`;
    yield {
      at: call,
      say: "unheld",
      with: {
        callee: call.name,
        other: other.call.name,
        instead: BY_NAME.has(flavour) ? `use ${flavour}()` : "take dma_resv_lock() around it",
      },
      because: [{ at: other.call, note: "called without the lock, or it would deadlock" }],
      subject: `${call.name} ${form}`,
    };
  }
}

/** What a call is about: its buffer or attachment, and the place where its result is kept. */
function formsOf({ call }: CallSite, values: Flow): readonly string[] {
  const kept = values.stores.find(({ value, op }) => op === "=" && asCall(value) === call);
  return [...call.args.map((arg) => values.canonical(arg)), ...(kept === undefined ? [] : [kept.place])];
}

/** The reservation lock that a call of the convention is about: `buf->resv`, in normal form. */
function locksOf(call: Call, values: Flow): readonly string[] {
  const row = BY_NAME.get(call.name);
  const [first, second] = call.args.map((arg) => values.canonical(arg));
  if (row === undefined || row.of === null || first === undefined) return [];
  if (row.of === "attachment") return [`${first}->dmabuf->resv`];
  return call.name === "dma_buf_detach" ? [`${first}->resv`, `${second}->dmabuf->resv`] : [`${first}->resv`];
}

/** Functions that take the lock, on a way from a dma_resv_lock() that cannot fail. */
function* doubles(values: Flow): Iterable<Found> {
  for (const { call: lock, node } of values.calls) {
    const [resv, ctx] = lock.args;
    if (lock.name !== "dma_resv_lock" || resv === undefined || ctx?.kind !== "ident" || ctx.name !== "NULL") {
      continue;
    }
    if (node.expr === null || asCall(node.expr) !== lock) continue;
    const form = values.canonical(resv);
    for (const { call, node: at } of values.calls) {
      if (BY_NAME.get(call.name)?.resv !== "taken" || !locksOf(call, values).includes(form)) continue;
      const opens = (to: typeof at) =>
        to.kind === "hole" ||
        values.calls.some((site) => site.node === to && /unlock/.test(site.call.name) && site.call !== call);
      const found = search(node, (to) => to === at ? "hit" : opens(to) ? "stop" : "go");
      if (found.hit === null) continue;
      yield {
        at: call,
        say: "twice",
        with: { callee: call.name, buffer: form.replace(/->resv$/, "") },
        because: [{ at: lock, note: "locked here" }],
        subject: `${call.name} ${form}`,
      };
    }
  }
}

/** Calls that want the lock, on a way from its unlock with no lock between. */
function* drops(values: Flow): Iterable<Found> {
  for (const { call: unlock, node } of values.calls) {
    if (unlock.name !== "dma_resv_unlock" || unlock.args[0] === undefined) continue;
    const form = values.canonical(unlock.args[0]);
    for (const { call, node: at } of values.calls) {
      if (BY_NAME.get(call.name)?.resv !== "held" || !locksOf(call, values).includes(form)) continue;
      const locks = (to: typeof at) =>
        to.kind === "hole" ||
        values.calls.some((site) =>
          site.node === to && isMayLock(site) && site.call.name !== "dma_resv_unlock"
        );
      const found = search(node, (to) => to === at ? "hit" : locks(to) ? "stop" : "go");
      if (found.hit === null) continue;
      yield {
        at: call,
        say: "dropped",
        with: { callee: call.name, buffer: form.replace(/->resv$/, "") },
        because: [{ at: unlock, note: "unlocked here" }],
        subject: `${call.name} ${form}`,
      };
    }
  }
}

/** Locks of the buffer's own reservation in a callback that is called with it. */
function* deadlocks(fn: FunctionView, values: Flow, use: Use): Iterable<Found> {
  const callback = callbackOf(fn, use);
  if (callback === null) return;
  const attach = attachmentOf(fn);
  const buffer = fn.node.params.find(({ type }) => type === "struct dma_buf *")?.name ?? null;
  for (const { call } of values.calls) {
    if (!LOCK.test(call.name) || call.args[0] === undefined) continue;
    const form = values.canonical(call.args[0]);
    if (form !== `${attach}->dmabuf->resv` && form !== `${buffer}->resv`) continue;
    yield {
      at: call,
      say: "deadlock",
      with: { lock: fn.file.textOf(call.args[0]), callback: `->${callback}()` },
      subject: `${call.name} ${form}`,
    };
  }
}

/** The locked callback that a table of the file names the function for; null when there is none. */
function callbackOf(fn: FunctionView, use: Use): string | null {
  for (const table of use(callbacks, fn.file)) {
    const field = LOCKED_CALLBACKS.find((name) => table.fn(name) === fn);
    if (field !== undefined) return field;
  }
  return null;
}
