/**
 * L04: a driver exports a BAR as a dma-buf and goes away without taking the importers' mappings back.
 *
 * @module
 */

import type { Call } from "./engine/ast.ts";
import { defineRule, type SourceFile } from "./engine/rule.ts";
import { stripComments } from "./engine/soften.ts";
import { tables } from "./facts/callback.ts";
import { type Flow, flow } from "./facts/flow.ts";
import { mapsRange } from "./facts/map_type.ts";
import { isImplementation, isTest } from "./facts/place.ts";

/** A buffer is taken back, or somebody waits until nobody uses it any more. */
const REVOKES =
  /move_notify|invalidate_mappings|revoke|\bwait_(?:for_completion|event)|\bwait_on_|refcount_|kref_|\btry_module_get\b|\bget_file\b|try_get_registration/;
/** Functions that a remove() calls and that know nothing of dma-bufs. */
const HARMLESS =
  /^(?:pci_|pcim_|devm_|dev_|pr_|device_|put_device|kfree|kvfree|vfree|free_irq|free_page|misc_deregister|cdev_|class_|ida_|idr_|xa_|mutex_|spin_|list_|cancel_(?:delayed_)?work|flush_|destroy_workqueue|del_timer|timer_|tasklet_|iounmap|io(?:read|write)|read[bwlq]|write[bwlq]|synchronize_|disable_irq|pm_runtime_|debugfs_|sysfs_|dma_free_|dma_pool_|dma_unmap_|dma_set_|container_of|to_|WARN|BUG|IS_ERR|unlikely|likely|ARRAY_SIZE)/;

export default defineRule({
  id: "p2p-mapping-outlives-provider",
  since: "0.1.0",
  code: "L04",
  severity: "warning",
  confidence: "medium",
  category: "p2p-lifecycle",
  scope: "file",
  summary: "a driver that exports its BAR as a dma-buf lets its device go without taking the mappings back",
  why:
    `A provider lives as long as the driver is bound: \`pcim_p2pdma_provider()\` asks the driver to see to it that every
mapping of the BAR is gone before \`remove()\` returns. An importer does not know that the exporter's device is being
unbound. It goes on with DMA to addresses that belong to nobody any more, or to the next driver, and its unmapping uses
a provider that has been freed. The exporter has to mark its buffers as revoked, to tell the importers with
\`dma_buf_move_notify()\` (\`dma_buf_invalidate_mappings()\` since v7.1), and to wait until they have unmapped.

The module's reference count is no help: a device is unbound through sysfs, too.`,
  limits:
    `The exporter and the driver's \`remove()\` must be in one file, and \`remove()\` must be shown whole with all that it
calls. Any sign of a wait, a reference count or a revocation in the file is taken for the cure. Resets, power states and
a change of the BAR, after which the mappings are as wrong, are not looked at, nor is the order of what \`remove()\` does.`,
  unless: "the buffers cannot outlive the device for a reason that is out of sight",
  sources: [
    "drivers/pci/p2pdma.c: pcim_p2pdma_provider() (v6.19)",
    "Documentation/driver-api/pci/p2pdma.rst: Usage With DMABUF (v6.19)",
    "https://lore.kernel.org/all/20250806162455.350f73a4.alex.williamson@redhat.com/",
  ],
  messages: {
    outlives:
      "{callee}() maps a BAR for importers, and {remove}() lets the device go without revoking the buffers or waiting for their mappings",
  },
  bad: [
    {
      title: "remove() forgets the importers",
      patch: String.raw`
+static struct sg_table *foo_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
+{
+	struct foo *foo = attach->dmabuf->priv;
+
+	return dma_buf_phys_vec_to_sgt(attach, foo->provider, &foo->vec, 1, foo->size, dir); /* want: outlives */
+}
+
+static const struct dma_buf_ops foo_dmabuf_ops = {
+	.map_dma_buf = foo_map,
+	.unmap_dma_buf = foo_unmap,
+};
+
+static void foo_stop(struct foo *foo)
+{
+	writel(0, foo->regs + FOO_CTRL);
+}
+
+static void foo_remove(struct pci_dev *pdev)
+{
+	struct foo *foo = pci_get_drvdata(pdev);
+
+	foo_stop(foo);
+	pci_disable_device(pdev);
+	kfree(foo);
+}
+
+static struct pci_driver foo_driver = {
+	.name = "foo",
+	.remove = foo_remove,
+};`,
    },
  ],
  good: [
    {
      title: "the importers are told first",
      patch: String.raw`
+static struct sg_table *foo_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
+{
+	struct foo *foo = attach->dmabuf->priv;
+
+	if (foo->revoked)
+		return ERR_PTR(-ENODEV);
+	return dma_buf_phys_vec_to_sgt(attach, foo->provider, &foo->vec, 1, foo->size, dir); /* ok: outlives */
+}
+
+static const struct dma_buf_ops foo_dmabuf_ops = {
+	.map_dma_buf = foo_map,
+};
+
+static void foo_remove(struct pci_dev *pdev)
+{
+	struct foo *foo = pci_get_drvdata(pdev);
+
+	dma_resv_lock(foo->buf->resv, NULL);
+	foo->revoked = true;
+	dma_buf_move_notify(foo->buf);
+	dma_resv_unlock(foo->buf->resv);
+	pci_disable_device(pdev);
+}
+
+static struct pci_driver foo_driver = {
+	.remove = foo_remove,
+};`,
    },
    {
      title: "remove() calls what is not shown",
      patch: String.raw`
+static struct sg_table *foo_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
+{
+	struct foo *foo = attach->dmabuf->priv;
+
+	return dma_buf_phys_vec_to_sgt(attach, foo->provider, &foo->vec, 1, foo->size, dir); /* ok: outlives */
+}
+
+static const struct dma_buf_ops foo_dmabuf_ops = {
+	.map_dma_buf = foo_map,
+};
+
+static void foo_remove(struct pci_dev *pdev)
+{
+	foo_core_fini(pci_get_drvdata(pdev));
+}
+
+static struct pci_driver foo_driver = {
+	.remove = foo_remove,
+};`,
    },
  ],
  *check(file, use) {
    if (isTest(file) || isImplementation(file)) return;
    const all = use(tables, file);
    const driver = all.find(({ struct, callee }) => struct === "pci_driver" && callee("remove") !== null);
    const remove = driver?.callee("remove") ?? null;
    const names = all.filter(({ struct }) => struct === "dma_buf_ops").map(({ callee }) =>
      callee("map_dma_buf")
    );
    const map = file.functions.find((fn) => names.includes(fn.name));
    if (driver === undefined || remove === null || map === undefined) return;
    const mapping = barMapping(use(flow, map));
    const hunks = hunksOf(file);
    if (mapping === null || hunks.some((text) => REVOKES.test(text)) || !isAllShown(remove, hunks)) {
      return;
    }
    yield {
      at: mapping,
      say: "outlives",
      with: { callee: mapping.name, remove },
      because: [{ at: driver.fields.get("remove")!, note: `all that ${remove}() does is shown` }],
      subject: remove,
    };
  },
});

/** The call that makes a BAR reachable for an importer; null when the callback makes none. */
function barMapping(values: Flow): Call | null {
  for (const { call, api } of values.calls) {
    if (call.name === "dma_buf_phys_vec_to_sgt" || call.name === "pci_p2pdma_bus_addr_map") return call;
    const memory = mapsRange(api) && api!.memory !== null ? call.args[api!.memory] : undefined;
    const isBar = memory !== undefined &&
      values.valueOf(memory).some(({ meaning, certainty }) =>
        meaning === "phys-bar" && certainty === "exact"
      );
    if (isBar) return call;
  }
  return null;
}

/**
 * The lines of each hunk: functions without a word of DMA are not in the syntax tree, and it is their silence that
 * counts.
 */
const hunksOf = ({ diff, side }: SourceFile): readonly string[] =>
  (diff.all === null ? diff.hunks.map(({ lines }) => lines) : [diff.all]).map((lines) =>
    stripComments(
      lines.filter(({ kind }) => kind !== (side === "new" ? "removed" : "added")).map(({ text }) => text)
        .join("\n"),
    )
  );

/** Whether everything that the function does is shown, or is known to have nothing to do with dma-bufs. */
function isAllShown(name: string, hunks: readonly string[], seen = new Set<string>()): boolean {
  if (seen.has(name)) return true;
  seen.add(name);
  const head = new RegExp(`^[A-Za-z_][\\w\\s*]*\\b${name}\\s*\\([^;{}]*\\)\\s*\\{`, "m");
  for (const hunk of hunks) {
    const found = head.exec(hunk);
    const end = found === null ? -1 : hunk.indexOf("\n}", found.index);
    if (found === null || end === -1) continue;
    const body = hunk.slice(found.index + found[0].length, end);
    return [...body.matchAll(/(?<![\w>.])([A-Za-z_]\w*)\s*\(/g)].every(([, callee]) =>
      KEYWORDS.has(callee!) || HARMLESS.test(callee!) || isAllShown(callee!, hunks, seen)
    ) && !/(?:->|\.)\w+\s*\(/.test(body);
  }
  return false;
}

const KEYWORDS = new Set(["if", "for", "while", "switch", "return", "sizeof"]);
