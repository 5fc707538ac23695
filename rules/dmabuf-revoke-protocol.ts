/**
 * D02: an exporter takes its memory back and leaves a way to it open: a later mapping, DMA that is still under way, a
 * page fault.
 *
 * @module
 */

import { type At, type Expr, walkExpr } from "./engine/ast.ts";
import { type CfgNode, search } from "./engine/cfg.ts";
import { defineRule, type FunctionView, type SourceFile, type Use } from "./engine/rule.ts";
import { attachmentOf } from "./facts/device.ts";
import { callbacks, withHelpers } from "./facts/dmabuf.ts";
import { flow } from "./facts/flow.ts";
import { isTest } from "./facts/place.ts";
import { API } from "./kernel/mod.ts";

const NOTIFY: ReadonlySet<string> = new Set(["dma_buf_move_notify", "dma_buf_invalidate_mappings"]);
const FLAG = /^(?:is_)?(?:revoked|dead|zombie)$/;
/** What takes the memory away from the bus. */
const DISABLE =
  /^(?:pci_disable_device|pci_clear_master|pcim?_iounmap\w*|iounmap|pci_release_regions?|pci_release_selected_regions|(?:__)?pci_(?:try_)?reset_function\w*|pci_set_power_state)$/;
/** What may wait for the importers, by its name. */
const WAIT = /wait|drain|flush|completion|sync|quiesce|idle|unmap|revoke|detach/i;
const LOCKS = /lock|down_|reserve|assert_held/i;

/** A flag and where a function sets it on taking the memory back. */
interface Revocation {
  readonly flag: string;
  readonly at: At;
  readonly fn: FunctionView;
}

export default defineRule({
  id: "dmabuf-revoke-protocol",
  since: "0.1.0",
  code: "D02",
  severity: "warning",
  confidence: "medium",
  category: "dma-buf",
  scope: "file",
  kernel: { since: [5, 7] },
  summary: "an exporter revokes a dma-buf and leaves a way to its memory open",
  why:
    `\`dma_buf_move_notify()\` (\`dma_buf_invalidate_mappings()\` since v7.1) tells the importers that their
addresses are no longer good. It does not end the attachments: an importer that attached before may call
\`dma_buf_map_attachment()\` right after, and will, because that is how it follows a move. So \`->map_dma_buf\` itself has
to refuse a revoked buffer; a test in \`->attach\` stops new importers only. Nor does it end the DMA: what was started goes
on until the fences of the reservation object have signalled and the importers have unmapped. A BAR that is switched off
or reset before is hit by DMA that nobody answers. And a flag that is written under the reservation lock has to be read
under it: a page fault between the test and the insertion of the page maps what has just been taken away.`,
  limits:
    `The flag is known by its name (\`revoked\`, \`dead\`, \`zombie\`) and by the function that notifies. Notifying
twice, and a wait in another function than the notification, are not looked at.`,
  unless: "a function that is not shown waits, or holds off later mappings",
  sources: [
    "drivers/dma-buf/dma-buf.c: dma_buf_move_notify()",
    "include/linux/dma-buf.h: struct dma_buf_attach_ops, @move_notify",
    "https://lore.kernel.org/all/20250806162455.350f73a4.alex.williamson@redhat.com/",
    "https://lore.kernel.org/all/20260131-dmabuf-revoke-v7-4-463d956bd527@nvidia.com/",
    "https://lore.kernel.org/all/ZnlEGMLf6d2Nr2Hw@phenom.ffwll.local/",
  ],
  messages: {
    remapped:
      "{fn}() maps although `{flag}` may be set: an importer that is attached already gets the revoked memory once more",
    early:
      "{callee}() follows {notify}() without a wait: importers may still do DMA until their fences have signalled",
    racy:
      "`{flag}` is written under the reservation lock and read without a lock here: it may be set right after",
  },
  bad: [
    {
      title: "only new importers are refused",
      patch: String.raw`
+static int foo_attach(struct dma_buf *buf, struct dma_buf_attachment *attach)
+{
+	struct foo_buf *priv = buf->priv;
+
+	return priv->revoked ? -ENODEV : 0;
+}
+
+static struct sg_table *foo_map(struct dma_buf_attachment *attach, enum dma_data_direction dir) /* want: remapped */
+{
+	struct foo_buf *priv = attach->dmabuf->priv;
+
+	return dma_buf_phys_vec_to_sgt(attach, priv->provider, priv->vec, priv->n, priv->size, dir); /* want: dmabuf-mmio-without-peer2peer.unasked */
+}
+
+static const struct dma_buf_ops foo_ops = {
+	.attach = foo_attach,
+	.map_dma_buf = foo_map,
+};
+
+static vm_fault_t foo_fault(struct vm_fault *vmf)
+{
+	struct foo_buf *priv = vmf->vma->vm_private_data;
+
+	vm_fault_t ret;
+
+	if (priv->revoked) /* want: racy */
+		return VM_FAULT_SIGBUS;
+	down_read(&priv->lock);
+	ret = vmf_insert_pfn(vmf->vma, vmf->address, priv->dma_pfn);
+	up_read(&priv->lock);
+	return ret;
+}
+
+static void foo_remove(struct pci_dev *pdev)
+{
+	struct foo_buf *priv = pci_get_drvdata(pdev);
+
+	dma_resv_lock(priv->dmabuf->resv, NULL);
+	priv->revoked = true;
+	dma_buf_invalidate_mappings(priv->dmabuf);
+	dma_resv_unlock(priv->dmabuf->resv);
+	pci_disable_device(pdev); /* want: early */
+}`,
    },
  ],
  good: [
    {
      title: "refused, waited for, read under the lock",
      patch: String.raw`
+static struct sg_table *foo_map(struct dma_buf_attachment *attach, enum dma_data_direction dir) /* ok: remapped */
+{
+	struct foo_buf *priv = attach->dmabuf->priv;
+
+	if (!attach->peer2peer || priv->revoked)
+		return ERR_PTR(-ENODEV);
+	return dma_buf_phys_vec_to_sgt(attach, priv->provider, priv->vec, priv->n, priv->size, dir);
+}
+
+static const struct dma_buf_ops foo_ops = {
+	.map_dma_buf = foo_map,
+};
+
+static vm_fault_t foo_fault(struct vm_fault *vmf)
+{
+	struct foo_buf *priv = vmf->vma->vm_private_data;
+	vm_fault_t ret = VM_FAULT_SIGBUS;
+
+	dma_resv_lock(priv->dmabuf->resv, NULL);
+	if (!priv->revoked) /* ok: racy */
+		ret = vmf_insert_pfn(vmf->vma, vmf->address, priv->pfn);
+	dma_resv_unlock(priv->dmabuf->resv);
+	return ret;
+}
+
+static void foo_remove(struct pci_dev *pdev)
+{
+	struct foo_buf *priv = pci_get_drvdata(pdev);
+
+	dma_resv_lock(priv->dmabuf->resv, NULL);
+	priv->revoked = true;
+	dma_buf_invalidate_mappings(priv->dmabuf);
+	dma_resv_wait_timeout(priv->dmabuf->resv, DMA_RESV_USAGE_BOOKKEEP, false, MAX_SCHEDULE_TIMEOUT);
+	dma_resv_unlock(priv->dmabuf->resv);
+	pci_disable_device(pdev); /* ok: early */
+}`,
    },
    {
      title: "never mapped at all",
      patch: String.raw`
+static struct sg_table *foo_no_map(struct dma_buf_attachment *attach, enum dma_data_direction dir) /* ok: remapped */
+{
+	return ERR_PTR(-EOPNOTSUPP);
+}
+
+static const struct dma_buf_ops foo_ops = {
+	.map_dma_buf = foo_no_map,
+};
+
+static void foo_revoke(struct foo_buf *priv)
+{
+	dma_resv_lock(priv->dmabuf->resv, NULL);
+	priv->revoked = true;
+	dma_buf_move_notify(priv->dmabuf);
+	dma_resv_unlock(priv->dmabuf->resv);
+}`,
    },
    {
      title: "a helper knows whether it is revoked, and a move is no revocation",
      patch: String.raw`
+static struct sg_table *foo_map(struct dma_buf_attachment *attach, enum dma_data_direction dir) /* ok: remapped */
+{
+	struct foo_buf *priv = attach->dmabuf->priv;
+
+	if (!attach->peer2peer)
+		return ERR_PTR(-EOPNOTSUPP);
+	return foo_is_live(priv) ? foo_table(attach->dev, priv->vec) : ERR_PTR(-ENODEV);
+}
+
+static const struct dma_buf_ops foo_ops = {
+	.map_dma_buf = foo_map,
+};
+
+static void foo_move(struct foo_buf *priv)
+{
+	priv->revoked = false;
+	dma_buf_move_notify(priv->dmabuf);
+}`,
    },
  ],
  *check(file, use) {
    if (isTest(file)) return;
    const revocations = [...revocationsOf(file, use)];
    yield* remapped(file, revocations, use);
    yield* racy(file, use);
    yield* early(file, use);
  },
});

/** The flags that the file sets where it notifies. */
function* revocationsOf(file: SourceFile, use: Use): Iterable<Revocation> {
  for (const fn of file.functions) {
    const values = use(flow, fn);
    if (!values.calls.some(({ call }) => NOTIFY.has(call.name))) continue;
    for (const { target, value, op } of values.stores) {
      if (!("kind" in target) || target.kind !== "member" || op !== "=" || !FLAG.test(target.field)) continue;
      if (/^(?:false|0)$/.test(file.textOf(value))) continue;
      yield { flag: target.field, at: target, fn };
    }
  }
}

/** map_dma_buf callbacks that ask no such flag. */
function* remapped(file: SourceFile, revocations: readonly Revocation[], use: Use) {
  if (revocations.length === 0) return;
  for (const table of use(callbacks, file)) {
    const map = table.table === "dma_buf_ops" ? table.fn("map_dma_buf") : null;
    if (map === null || !map.whole) continue;
    const values = use(flow, map);
    if (values.returns.every(({ value }) => isRefusal(value))) continue;
    const shown = withHelpers(map, values.calls.map(({ call }) => call.name));
    const { flag, at } = revocations[0]!;
    if (shown.some((fn) => new RegExp(`\\b${flag}\\b`).test(file.textOf(fn.node)))) continue;
    // Whoever is given the buffer may ask for us.
    const attach = attachmentOf(map) ?? "";
    const isGiven = ["", "->priv", "->dmabuf", "->dmabuf->priv"].map((path) => attach + path);
    const asks = values.calls.some(({ call }) =>
      !API.has(call.name) && !shown.some(({ name }) => name === call.name) &&
      call.args.some((arg) => isGiven.includes(values.canonical(arg)))
    );
    if (asks) continue;
    yield {
      at: { start: map.node.start, end: map.node.body.start },
      say: "remapped" as const,
      with: { fn: map.name, flag },
      because: [{ at, note: "the importers are told, and stay attached" }],
      severity: "error" as const,
      subject: `${map.name} ${flag}`,
    };
  }
}

/** `ERR_PTR(-EOPNOTSUPP)` */
const isRefusal = (value: Expr) => value.kind === "call" && /^ERR_(?:PTR|CAST)$/.test(value.name);

/** Page fault handlers that read a flag which is written under the reservation lock. */
function* racy(file: SourceFile, use: Use) {
  const written = new Map<string, At>();
  for (const fn of file.functions) {
    const values = use(flow, fn);
    if (!values.calls.some(({ call }) => call.name === "dma_resv_lock")) continue;
    for (const { target } of values.stores) {
      if ("kind" in target && target.kind === "member" && FLAG.test(target.field)) {
        written.set(target.field, target);
      }
    }
  }
  if (written.size === 0) return;
  for (const fn of file.functions) {
    if (!fn.whole || !fn.node.params.some(({ type }) => type === "struct vm_fault *")) continue;
    const values = use(flow, fn);
    const locked = new Set(values.calls.filter(({ call }) => LOCKS.test(call.name)).map(({ node }) => node));
    const tests = values.cfg.nodes.flatMap((node) => {
      const reads: { flag: string; at: At; node: CfgNode }[] = [];
      if (node.kind !== "test" || node.expr === null) return reads;
      walkExpr(node.expr, (inner) => {
        if (inner.kind === "member" && written.has(inner.field)) {
          reads.push({ flag: inner.field, at: inner, node });
        }
      });
      return reads;
    });
    const isOpen = ({ node }: { node: CfgNode }) =>
      search(values.cfg.entry, (at) => at === node ? "hit" : locked.has(at) ? "stop" : "go").hit !== null;
    // A look ahead that is repeated under the lock is no mistake.
    if (!tests.every(isOpen)) continue;
    for (const { flag, at } of tests) {
      yield {
        at,
        say: "racy" as const,
        with: { flag: file.textOf(at) },
        because: [{ at: written.get(flag)!, note: "written under dma_resv_lock()" }],
        subject: `${fn.name} ${flag}`,
      };
    }
  }
}

/** Calls that switch the memory off on a way from the notification. */
function* early(file: SourceFile, use: Use) {
  for (const fn of file.functions) {
    const values = use(flow, fn);
    for (const { call: notify, node } of values.calls.filter(({ call }) => NOTIFY.has(call.name))) {
      for (const { call, node: at } of values.calls.filter((site) => DISABLE.test(site.call.name))) {
        const waits = (to: typeof at) =>
          to.kind === "hole" ||
          values.calls.some((site) =>
            site.node === to && WAIT.test(site.call.name) && !DISABLE.test(site.call.name)
          );
        if (search(node, (to) => to === at ? "hit" : waits(to) ? "stop" : "go").hit === null) continue;
        yield {
          at: call,
          say: "early" as const,
          with: { callee: call.name, notify: notify.name },
          because: [{ at: notify, note: "the importers are told" }],
          wanted: "dma_resv_wait_timeout(resv, DMA_RESV_USAGE_BOOKKEEP, false, MAX_SCHEDULE_TIMEOUT)",
          subject: `${call.name} ${fn.name}`,
        };
      }
    }
  }
}
