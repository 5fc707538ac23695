/**
 * I02: a driver works with the IOMMU API on the domain that the DMA API owns: it puts a mapping of its own into it, or
 * looks up what the DMA API has mapped. Where the driver attaches a domain itself, nothing is claimed.
 *
 * @module
 */

import { defineRule, type FunctionView } from "./engine/rule.ts";
import { chain } from "./facts/evidence.ts";
import { flow } from "./facts/flow.ts";
import { mentioned } from "./facts/mention.ts";
import type { Origin } from "./facts/origin.ts";
import { isMapper } from "./facts/place.ts";

/** The domain that is attached now: by default that of the DMA API. */
const LOOKUPS = new Set(["iommu_get_domain_for_dev", "iommu_get_dma_domain"]);
/** Who attaches or allocates a domain, or asks for its type, may find another one there. */
const OWN_DOMAIN = /\biommu_attach_\w+|\biommu_(?:paging_)?domain_alloc\w*|\bIOMMU_DOMAIN_\w+/;

export default defineRule({
  id: "iommu-map-into-dma-domain",
  since: "0.1.0",
  code: "I02",
  severity: "warning",
  confidence: "medium",
  category: "iommu",
  scope: "function",
  summary: "the IOMMU API is used on the domain that the DMA API owns",
  why:
    `\`iommu_get_domain_for_dev()\` returns the domain that is attached to the device. Unless the driver attached
one of its own that is the default domain, and dma-iommu hands out its I/O virtual addresses. An address that the
driver chooses may be in use already or be handed out later; the reserved regions (MSI windows, firmware) are not
looked at; and with \`iommu.passthrough=1\` or no IOMMU the domain is an identity domain or NULL, so that the driver
works on some machines only. \`dma_map_resource()\` and \`dma_map_phys()\` make the same mapping with an address that
is free. A driver that must choose the address attaches a domain of its own (\`iommu_paging_domain_alloc()\`,
\`iommu_attach_device()\`).

\`iommu_iova_to_phys()\` of an address that came from the DMA API is the same mixture. Where there is no translating
domain a \`dma_addr_t\` need not be a CPU physical address either: a bus offset, swiotlb or an encryption bit may lie
between the two. Whoever needs the CPU's view keeps the pointer or the page beside the handle.`,
  limits:
    `A domain that is fetched in another file than it is used in is not known, nor is a device that another driver
attached to a domain. \`iommu_unmap()\` is not reported by itself: the mapping is what is wrong.`,
  unless: "the driver has attached a domain of its own to the device",
  sources: [
    "drivers/iommu/iommu.c: iommu_get_domain_for_dev(), iommu_setup_default_domain()",
    "drivers/iommu/dma-iommu.c: iommu_dma_init_domain(), iommu_dma_alloc_iova()",
    "https://lore.kernel.org/all/ZTtJdU5a/P4kg%2FSs@infradead.org/",
    "https://lore.kernel.org/all/20190531163229.GA8708@infradead.org/",
  ],
  messages: {
    map:
      "{callee}() maps into the domain of the DMA API, which hands out its IOVAs: use {instead}, or attach a domain of its own",
    lookup:
      "iommu_iova_to_phys() of `{handle}`, which the DMA API made: the two cannot be mixed, keep the CPU address beside the handle",
  },
  bad: [
    {
      title: "SRAM at the IOVA that equals its physical address",
      patch: String.raw`
+static int foo_map_sram(struct foo *foo, struct device *dev, phys_addr_t sram, size_t size)
+{
+	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);
+
+	if (!domain)
+		return -EINVAL;
+	return iommu_map(domain, sram, sram, size, IOMMU_READ | IOMMU_WRITE, GFP_KERNEL); /* want: map */
+}`,
    },
    {
      title: "the way back from a DMA address",
      patch: String.raw`
+struct foo_priv {
+	struct iommu_domain *domain;
+};
+
+static int foo_probe(struct platform_device *pdev, struct foo_priv *priv)
+{
+	priv->domain = iommu_get_domain_for_dev(&pdev->dev);
+	return 0;
+}
+
+static int foo_alloc(struct foo_priv *priv, struct foo *foo)
+{
+	foo->cpu = dma_alloc_coherent(foo->dev, SZ_4K, &foo->dma, GFP_KERNEL);
+	if (!foo->cpu)
+		return -ENOMEM;
+	foo->phys = priv->domain ? iommu_iova_to_phys(priv->domain, foo->dma) : foo->dma; /* want: lookup */
+	return 0;
+}
+
+static struct page *foo_page(struct foo_priv *priv, dma_addr_t addr)
+{
+	phys_addr_t phys = iommu_iova_to_phys(priv->domain, addr); /* want: lookup */
+
+	return phys_to_page(phys);
+}`,
    },
  ],
  good: [
    {
      title: "a domain of its own",
      patch: String.raw`
+static int foo_map_fw(struct foo *foo, struct device *dev, phys_addr_t fw, size_t size)
+{
+	struct iommu_domain *domain = iommu_paging_domain_alloc(dev);
+	int ret;
+
+	if (IS_ERR(domain))
+		return PTR_ERR(domain);
+	ret = iommu_attach_device(domain, dev);
+	if (!ret)
+		ret = iommu_map(domain, FOO_FW_START, fw, size, IOMMU_READ | IOMMU_WRITE, GFP_KERNEL); /* ok: map */
+	foo->domain = domain;
+	return ret;
+}
+
+static void foo_grow(struct foo *foo, struct device *dev, phys_addr_t more, size_t size)
+{
+	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);
+
+	WARN_ON(iommu_map(domain, FOO_FW_END, more, size, IOMMU_READ, GFP_KERNEL)); /* ok: map */
+}`,
    },
    {
      title: "only looked at",
      patch: String.raw`
+static bool foo_is_translated(struct device *dev)
+{
+	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);
+
+	return domain && domain->type != IOMMU_DOMAIN_IDENTITY; /* ok: map */
+}
+
+static phys_addr_t foo_lookup(struct foo *foo, u64 iova)
+{
+	return iommu_iova_to_phys(foo->domain, iova); /* ok: lookup */
+}`,
    },
  ],
  *check(fn, use) {
    if (isMapper(fn.file) || mentioned(fn.file, OWN_DOMAIN)) return;
    const values = use(flow, fn);
    for (const { call, api } of values.calls) {
      const domain = call.args[0];
      if (api === null || domain === undefined || api.params[0] !== "iommu-domain") continue;
      const origin = lookedUp(values.valueOf(domain), fn);
      if (origin === null) continue;
      if (api.role === "map") {
        yield {
          at: call,
          say: "map",
          with: {
            callee: call.name,
            instead: api.params[2] === "phys" ? "dma_map_resource() or dma_map_phys()" : "dma_map_sgtable()",
          },
          because: chain(origin),
          subject: `${call.name} ${values.canonical(domain)}`,
        };
        continue;
      }
      const handle = call.args[1];
      if (api.name !== "iommu_iova_to_phys" || handle === undefined) continue;
      const made = values.valueOf(handle).find(({ meaning, certainty }) =>
        meaning === "dma" && certainty !== "name"
      );
      if (made === undefined) continue;
      yield {
        at: call,
        say: "lookup",
        with: { handle: fn.file.textOf(handle) },
        because: [...chain(origin), ...chain(made)],
        subject: values.canonical(handle),
      };
    }
  },
});

/** Where the domain was looked up; null when it may be another one. */
function lookedUp(origins: readonly Origin[], fn: FunctionView): Origin | null {
  const known = origins.filter(({ meaning }) => meaning !== "param");
  const isLookup = (origin: Origin) =>
    origin.meaning === "iommu-domain" && LOOKUPS.has(origin.api) && !mentioned(origin.file, OWN_DOMAIN);
  return known.length > 0 && known.every(isLookup)
    ? known.find(({ file }) => file === fn.file) ?? known[0]!
    : null;
}
