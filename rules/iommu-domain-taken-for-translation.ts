/**
 * I06: that there is an IOMMU domain is taken to mean that it translates.
 *
 * @module
 */

import { type Expr, walkExpr } from "./engine/ast.ts";
import { asCall } from "./engine/cfg.ts";
import { defineRule } from "./engine/rule.ts";
import { type Flow, flow } from "./facts/flow.ts";
import { constant } from "./facts/outcome.ts";
import { isMapper } from "./facts/place.ts";

const DOMAIN = "iommu_get_domain_for_dev";
const ATTACHES = /^iommu_(?:at|de)tach_/;
const MAPPED = "device_iommu_mapped";

export default defineRule({
  id: "iommu-domain-taken-for-translation",
  since: "0.1.0",
  code: "I06",
  severity: "warning",
  confidence: "medium",
  category: "iommu",
  scope: "function",
  summary: "iommu_get_domain_for_dev() or device_iommu_mapped() is taken to say that DMA is translated",
  why:
    `Every device in an IOMMU group is attached to a domain, and with \`iommu.passthrough=1\`, by a quirk or by choice
in sysfs that domain is one of identity: \`iommu_get_domain_for_dev()\` returns it, \`device_iommu_mapped()\` is true,
and yet the device emits physical addresses and the DMA API is the direct one. Code that then relies on contiguous
IOVAs, on merged segments or on protection is wrong exactly there.

What counts is the type: \`domain && domain->type != IOMMU_DOMAIN_IDENTITY\`, or \`domain->type &
__IOMMU_DOMAIN_PAGING\`. Better is a question to the DMA API: \`dma_get_merge_boundary()\` says whether segments are
merged, \`dma_addressing_limited()\` and \`dma_max_mapping_size()\` what bouncing costs.`,
  limits: "A domain that is handed to another function or kept in a struct is not followed.",
  unless: "any IOMMU will do, a translating one or not",
  sources: [
    "include/linux/iommu.h: IOMMU_DOMAIN_IDENTITY",
    "drivers/iommu/iommu.c: iommu_get_domain_for_dev(), iommu_def_domain_type",
    'drivers/crypto/hisilicon/sec/sec_drv.c: "Check that translation is occurring"',
    "include/linux/dma-mapping.h: dma_get_merge_boundary()",
  ],
  messages: {
    presence:
      "that there is a domain does not say that it translates: it may be an identity domain; test `->type` as well",
    group:
      "device_iommu_mapped() says that the device is behind an IOMMU, not that its DMA is translated now: ask for the domain's `->type`, or the DMA API",
  },
  bad: [
    {
      title: "set up by the DMA API already, or so it is thought",
      patch: String.raw`
+static void foo_init_iommu(struct foo *foo)
+{
+	if (iommu_get_domain_for_dev(foo->dev)) /* want: presence */
+		return;
+	foo_attach(foo);
+}`,
    },
    {
      title: "a flag that only tells of an IOMMU",
      patch: String.raw`
+static bool foo_is_translated(struct foo *foo)
+{
+	struct iommu_domain *domain = iommu_get_domain_for_dev(foo->dev);
+
+	if (!domain) /* want: presence */
+		return false;
+	return true;
+}
+
+static void foo_probe(struct foo *foo)
+{
+	foo->has_iommu = !!iommu_get_domain_for_dev(foo->dev); /* want: presence */
+}`,
    },
    {
      title: "the group decides, the type is not asked",
      patch: String.raw`
+static bool foo_can_merge(struct foo *foo, struct device *dev)
+{
+	if (!device_iommu_mapped(dev)) /* want: group */
+		return false;
+	foo_set_boundary(foo, foo_page_size(iommu_get_domain_for_dev(dev)));
+	return true;
+}`,
    },
  ],
  good: [
    {
      title: "the type is asked",
      patch: String.raw`
+static bool foo_is_translated(struct foo *foo)
+{
+	struct iommu_domain *domain = iommu_get_domain_for_dev(foo->dev);
+
+	return domain && domain->type != IOMMU_DOMAIN_IDENTITY; /* ok: presence */
+}
+
+static bool foo_can_merge(struct foo *foo, struct device *dev)
+{
+	if (!device_iommu_mapped(dev)) /* ok: group */
+		return false;
+	return iommu_get_domain_for_dev(dev)->type == IOMMU_DOMAIN_DMA;
+}`,
    },
    {
      title: "the domain is wanted for itself",
      patch: String.raw`
+static int foo_map(struct foo *foo, phys_addr_t phys)
+{
+	struct iommu_domain *domain = iommu_get_domain_for_dev(foo->dev);
+
+	if (!domain) /* ok: presence */
+		return -ENODEV;
+	return iommu_map(domain, foo->iova, phys, SZ_4K, IOMMU_READ, GFP_KERNEL);
+}
+
+static int foo_reset(struct foo *foo)
+{
+	foo->domain = iommu_get_domain_for_dev(foo->dev); /* ok: presence */
+	if (!foo->domain)
+		return 0;
+	return foo_quiesce(foo);
+}`,
    },
    {
      title: "whether a device is still attached",
      patch: String.raw`
+static void foo_detach(struct foo *foo)
+{
+	if (iommu_get_domain_for_dev(foo->dev)) /* ok: presence */
+		iommu_detach_group(foo->domain, foo->group);
+}`,
    },
    {
      title: "an IOMMU of any kind, for the isolation of functions",
      patch: String.raw`
+static int foo_sriov(struct foo *foo)
+{
+	if (!device_iommu_mapped(foo->dev)) /* ok: group */
+		dev_warn(foo->dev, "no IOMMU for the virtual functions\n");
+	return 0;
+}`,
    },
  ],
  *check(fn, use) {
    if (isMapper(fn.file)) return;
    const values = use(flow, fn);
    const asked = values.calls.filter(({ call }) => call.name === DOMAIN);
    // Who attaches devices himself asks whether one is attached.
    if (asked.length === 0 || values.calls.some(({ call }) => ATTACHES.test(call.name))) return;
    const exprs = expressions(values);
    const asksType = exprs.some((top) => {
      let asks = false;
      walkExpr(top, (expr) => asks ||= expr.kind === "member" && expr.field === "type");
      return asks;
    });
    if (asksType) return;
    const group = values.calls.find(({ call }) => call.name === MAPPED);
    if (group !== undefined && fn.whole) {
      yield {
        at: group.call,
        say: "group",
        because: [{ at: asked[0]!.call, note: "may be an identity domain" }],
        wanted: "dma_get_merge_boundary(dev), or domain->type",
        subject: MAPPED,
      };
      return;
    }
    for (const { call, node } of asked) {
      const isBare = node.kind === "test" && node.expr !== null && asCall(node.expr) === call;
      const store = values.stores.find((s) => s.node === node && isTruthOf(s.value, call, s, values));
      const place = values.stores.find((s) => s.node === node && s.value === call && s.op === "=");
      const test = isBare || store !== undefined || isReturned(call, values)
        ? call
        : place !== undefined && fn.whole
        ? onlyTested(place.place, exprs)
        : null;
      if (test === null) continue;
      yield {
        at: test,
        say: "presence",
        ...(test === call ? {} : { because: [{ at: call, note: "also returns an identity domain" }] }),
        wanted: "domain && domain->type != IOMMU_DOMAIN_IDENTITY",
        subject: DOMAIN,
      };
    }
  },
});

const expressions = (values: Flow): readonly Expr[] =>
  values.cfg.nodes.flatMap((node) => [node.expr, node.decl?.init ?? null]).filter((expr) => expr !== null);

/** `!!call`, `call ? true : false`, or the call itself in a bool. */
function isTruthOf(value: Expr, call: Expr, store: Flow["stores"][number], values: Flow): boolean {
  if (value === call) {
    const { target } = store;
    return ("kind" in target ? values.typeOf(target) : target.type) === "bool";
  }
  return isTruth(value, call);
}

function isTruth(value: Expr, call: Expr): boolean {
  if (value.kind === "unary" && value.op === "!") {
    return value.operand === call || isTruth(value.operand, call);
  }
  if (value.kind === "conditional") return value.test === call;
  return value.kind === "binary" && /^[!=]=$/.test(value.op) && value.left === call &&
    constant(value.right) === 0n;
}

const isReturned = (call: Expr, values: Flow): boolean =>
  values.returns.some(({ value }) => isTruth(value, call));

/** The first test of a variable that nothing else is done with; null when it is used, or not tested at all. */
function onlyTested(name: string, exprs: readonly Expr[]): Expr | null {
  if (!/^\w+$/.test(name)) return null;
  let first: Expr | null = null;
  let isUsed = false;
  const isName = (expr: Expr) => expr.kind === "ident" && expr.name === name;
  const see = (expr: Expr, isCondition: boolean): void => {
    if (isName(expr)) {
      if (isCondition) first ??= expr;
      else isUsed = true;
      return;
    }
    if (expr.kind === "unary" && expr.op === "!") return see(expr.operand, true);
    if (expr.kind === "binary" && /^(?:&&|\|\|)$/.test(expr.op)) {
      see(expr.left, true);
      return see(expr.right, true);
    }
    if (
      expr.kind === "binary" && /^[!=]=$/.test(expr.op) && isName(expr.left) && constant(expr.right) === 0n
    ) {
      return see(expr.left, true);
    }
    if (expr.kind === "assign" && isName(expr.target)) return see(expr.value, false);
    walkExpr(expr, (inner) => isUsed ||= inner !== expr && isName(inner));
  };
  for (const expr of exprs) see(expr, isName(expr));
  return isUsed ? null : first;
}
