/**
 * D05: a dma-buf or an attachment that was never got is given back, or one that was got is not.
 *
 * @module
 */

import type { Call } from "./engine/ast.ts";
import { type CfgNode, type Edge, search } from "./engine/cfg.ts";
import { defineRule, type FunctionView } from "./engine/rule.ts";
import { mentioned } from "./facts/mention.ts";
import { consistent } from "./facts/failure.ts";
import { type CallSite, type Flow, flow } from "./facts/flow.ts";
import { isErrno, outcomeOf } from "./facts/outcome.ts";
import { isImplementation } from "./facts/place.ts";

/** What is got, by which call it is given back, and as which of its arguments. */
const PAIRS = new Map([
  ["dma_buf_get", { back: "dma_buf_put", at: 0 }],
  ["dma_buf_attach", { back: "dma_buf_detach", at: 1 }],
  ["dma_buf_dynamic_attach", { back: "dma_buf_detach", at: 1 }],
]);
/** Calls that take no reference over. */
const BORROWS =
  /^(?:dma_buf_(?!put|detach|export|fd)\w*|IS_ERR\w*|PTR_ERR\w*|ERR_CAST|(?:dev|pr|drm)_\w+|WARN\w*|dma_resv_\w+|unlikely|likely)$/;

// Scope-based cleanup: include/linux/cleanup.h.
const FREES_ITSELF = /__free\b/;

export default defineRule({
  id: "dmabuf-reference-unbalanced",
  since: "0.1.0",
  code: "D05",
  severity: "error",
  confidence: "high",
  category: "dma-buf",
  scope: "function",
  summary: "dma_buf_put() or dma_buf_detach() of what was never got, or none of what was",
  why:
    `\`dma_buf_get()\` and \`dma_buf_attach()\` return an error pointer when they fail. \`dma_buf_put()\` and
\`dma_buf_detach()\` warn about it at best and follow it at worst: the error path has to enter the unwinding one step
further down. A reference that an error path leaves behind keeps the exporter's memory, often a whole frame or a BAR,
until the next boot.`,
  limits:
    `Only paths that the function shows without a gap count. A buffer that is stored in a structure or given to a helper
may be put by whoever has it then.`,
  unless: "the release asks IS_ERR() first, out of sight",
  sources: [
    "drivers/dma-buf/dma-buf.c: dma_buf_get(), dma_buf_put(), dma_buf_attach(), dma_buf_detach()",
  ],
  messages: {
    failed: "{get}() failed, and the path leads to {back}(`{handle}`): that is an error pointer",
    leak: "this error path returns without {back}() for `{handle}`, which the function's other paths call",
  },
  bad: [
    {
      title: "each label is one too high",
      patch: String.raw`
+static int foo_import(struct foo *foo, int fd)
+{
+	int ret;
+
+	foo->buf = dma_buf_get(fd);
+	if (IS_ERR(foo->buf)) { /* want: failed */
+		ret = PTR_ERR(foo->buf);
+		goto put;
+	}
+	foo->attach = dma_buf_attach(foo->buf, foo->dev);
+	if (IS_ERR(foo->attach)) { /* want: failed */
+		ret = PTR_ERR(foo->attach);
+		goto detach;
+	}
+	return 0;
+
+detach:
+	dma_buf_detach(foo->buf, foo->attach);
+put:
+	dma_buf_put(foo->buf);
+	return ret;
+}`,
    },
    {
      title: "one error path forgets the buffer",
      patch: String.raw`
+static struct foo_mem *foo_import(struct foo *foo, int fd, size_t len)
+{
+	struct dma_buf *buf = dma_buf_get(fd);
+	struct foo_mem *mem;
+
+	if (IS_ERR(buf))
+		return ERR_CAST(buf);
+	mem = kzalloc(sizeof(*mem), GFP_KERNEL);
+	if (!mem)
+		return ERR_PTR(-ENOMEM); /* want: leak */
+	if (buf->size < len)
+		goto put;
+	mem->buf = buf;
+	return mem;
+put:
+	kfree(mem);
+	dma_buf_put(buf);
+	return ERR_PTR(-EINVAL);
+}`,
    },
  ],
  good: [
    {
      title: "each error path undoes what is done",
      patch: String.raw`
+static int foo_import(struct foo *foo, int fd)
+{
+	struct dma_buf_attachment *attach;
+	struct dma_buf *buf;
+	int ret;
+
+	buf = dma_buf_get(fd);
+	if (IS_ERR(buf)) /* ok: failed, leak */
+		return PTR_ERR(buf);
+	attach = dma_buf_attach(buf, foo->dev);
+	if (IS_ERR(attach)) { /* ok: failed */
+		ret = PTR_ERR(attach);
+		goto put;
+	}
+	foo->attach = attach;
+	if (foo->count > 8)
+		return -EBUSY; /* ok: leak */
+	return 0;
+
+put:
+	dma_buf_put(buf);
+	return ret;
+}`,
    },
    {
      title: "the release asks first, a helper takes the buffer over",
      patch: String.raw`
+static int foo_import(struct foo *foo, int fd)
+{
+	struct dma_buf *buf = dma_buf_get(fd);
+	int ret = 0;
+
+	if (IS_ERR(buf)) /* ok: failed */
+		goto out;
+	ret = foo_keep(foo, buf);
+	if (ret)
+		return -EIO; /* ok: leak */
+out:
+	if (!IS_ERR(buf))
+		dma_buf_put(buf);
+	return ret;
+}`,
    },
  ],
  *check(fn, use) {
    if (isImplementation(fn.file)) return;
    const values = use(flow, fn);
    for (const site of values.calls) {
      const pair = PAIRS.get(site.call.name);
      if (pair === undefined) continue;
      const store = values.stores.find((s) => s.node === site.node && s.op === "=" && s.value === site.call);
      if (store === undefined) continue;
      const handle = store.place;
      const backs = new Map<CfgNode, Call>(
        values.calls.filter(({ call }) =>
          call.name === pair.back && call.args[pair.at] !== undefined &&
          (values.canonical(call.args[pair.at]!) === handle || fn.file.textOf(call.args[pair.at]!) === handle)
        ).map(({ call, node }) => [node, call]),
      );
      if (backs.size === 0) continue;
      const edges: Edge[] = [];
      for (const test of outcomeOf(site.call, site.node, values).tests) {
        const edge = test.node.kind === "test" && test.op === "err-value"
          ? test.node.succ.find((way) => way.when === true)
          : undefined;
        if (edge === undefined) continue;
        edges.push(edge);
        const ways = consistent(values.cfg, test.node, fn.file);
        const found = search(
          test.node,
          (node) =>
            backs.has(node)
              ? "hit"
              : node.kind === "hole" || node.kind === "test" || writes(values, node, handle)
              ? "stop"
              : "go",
          (node) => node === test.node ? [edge] : ways(node),
        );
        if (found.hit === null) continue;
        yield {
          at: test.expr,
          say: "failed",
          with: { get: site.call.name, back: pair.back, handle },
          because: [{ at: site.call, note: `\`${handle}\` comes from here` }, {
            at: backs.get(found.hit)!,
            note: "and this path gives it back",
          }],
          subject: `${handle} ${pair.back}`,
        };
      }
      if (edges.length === 0 || !/^\w+$/.test(handle)) continue;
      const exit = leak(fn, values, site, handle, new Set(backs.keys()), new Set(edges));
      if (exit === null) continue;
      yield {
        at: exit.at,
        say: "leak",
        with: { back: pair.back, handle },
        because: [{ at: site.call, note: `\`${handle}\` comes from here` }, {
          at: [...backs.values()][0]!,
          note: "given back here, on another path",
        }],
        severity: "warning",
        confidence: "medium",
        subject: `${handle} ${pair.back} ${fn.file.textOf(exit.at)}`,
      };
    }
  },
});

const writes = (values: Flow, node: CfgNode, place: string) =>
  values.stores.some((store) => store.node === node && store.place === place);

/** The first return of an error constant that is reached with the reference still held by nobody but the function. */
function leak(
  fn: FunctionView,
  values: Flow,
  site: CallSite,
  handle: string,
  backs: ReadonlySet<CfgNode>,
  failing: ReadonlySet<Edge>,
): CfgNode | null {
  if (mentioned(fn.file, FREES_ITSELF)) return null;
  // Who keeps the attachment has the buffer by it.
  const heirs = values.stores.filter((s) =>
    s.value.kind === "call" && /^dma_buf_\w*attach$/.test(s.value.name) && /^\w+$/.test(s.place)
  ).map((s) => s.place);
  const word = new RegExp(`\\b(?:${[handle, ...heirs].join("|")})\\b`);
  const ways = consistent(values.cfg, site.node, fn.file);
  const keeps = (node: CfgNode) =>
    values.stores.some((s) =>
      s.node === node && s.node !== site.node && (s.place === handle || word.test(fn.file.textOf(s.value))) &&
      !(s.value.kind === "call" && BORROWS.test(s.value.name))
    ) ||
    values.calls.some(({ call, node: at }) =>
      at === node && !BORROWS.test(call.name) && call.args.some((arg) => word.test(fn.file.textOf(arg)))
    );
  return search(
    site.node,
    (node) => {
      if (node === site.node) return "go";
      if (node.kind === "hole" || backs.has(node) || keeps(node)) return "stop";
      if (node.kind !== "return") return "go";
      return node.expr !== null && isErrno(node.expr) ? "hit" : "stop";
    },
    (node) => ways(node).filter((edge) => !failing.has(edge)),
  ).hit;
}
