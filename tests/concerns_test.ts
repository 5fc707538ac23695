import assert from "node:assert/strict";
import { concerns } from "../rules/kernel/mod.ts";

Deno.test("concerns() is true for code that maps, converts, declares or uses something removed", () => {
  for (
    const code of [
      "x = dma_map_single(dev, p, n, dir);",
      "dma_addr_t h;",
      "writel(virt_to_phys(p), r);",
      "a = pci_bus_address(pdev, 0);",
      "a = pdev->resource[2].start;",
      "pci_map_page(pdev, p, 0, n, d);",
      "__dma_sync_single_for_device(dev, a, n, d);",
      "static int foo_attach(struct dma_buf *b, struct dma_buf_attachment *a)",
      "dma_set_mask(dev, DMA_BIT_MASK(64));",
      "if (pcim_p2pdma_init(pdev))",
      "flags |= FOLL_PCI_P2PDMA;",
      "p2p_dev = pci_p2pmem_find(dev);",
      "MODULE_IMPORT_NS(DMA_BUF);",
      "foo_unmap_task(task, DMA_FROM_DEVICE);",
    ]
  ) assert.equal(concerns(code), true, code);
});

Deno.test("concerns() is false for code that only has dma in its names", () => {
  for (
    const code of [
      "struct foo_dma_chan *c = to_foo_dma_chan(chan);",
      "foo_dma_start(c);",
      "writel(x, c->base + FOO_DMA_CTRL);",
      "p = kmalloc(n, GFP_KERNEL);",
      "/* dma */",
      "",
    ]
  ) assert.equal(concerns(code), false, code);
});
