/**
 * How kernel code is shaped around addresses: which functions only look something up, and the C types of the
 * fields of common structs.
 *
 * @module
 */

/**
 * Functions that give the same answer each time for the same argument, so that their call can stand for the value:
 * `to_pci_dev(dev)`, `dev_get_drvdata(dev)`, `container_of(x, …)`, `netdev_priv(ndev)`, `foo_to_dev(foo)`.
 */
export const GETTER =
  /^(?:to_\w+|\w*_to_\w+|\w*2\w*dev\w*|\w*get_drvdata|container_of(?:_const)?|\w+_priv|\w+_dev|\w+_device|dmaengine_get_dma_device|\w+_get_dma_dev\w*|vdev_\w+|pci_resource_n|crypto_\w*ctx\w*|\w+_ctx)$/;

/** Types of fields of common kernel structs, as `struct.field`; include/linux/{pci,device,dma-buf,dmaengine,platform_device}.h. */
export const FIELD_TYPES: ReadonlyMap<string, string> = new Map([
  ["pci_dev.dev", "struct device"],
  ["platform_device.dev", "struct device"],
  ["device.parent", "struct device *"],
  ["dma_buf_attachment.dev", "struct device *"],
  ["dma_buf_attachment.dmabuf", "struct dma_buf *"],
  ["drm_gem_object.dma_buf", "struct dma_buf *"],
  ["drm_gem_object.import_attach", "struct dma_buf_attachment *"],
  ["drm_framebuffer.obj", "struct drm_gem_object *[]"],
  ["dma_chan.device", "struct dma_device *"],
  ["dma_device.dev", "struct device *"],
  ["drm_device.dev", "struct device *"],
  ["ib_device.dma_device", "struct device *"],
  ["sg_table.sgl", "struct scatterlist *"],
  ["sg_table.nents", "unsigned int"],
  ["sg_table.orig_nents", "unsigned int"],
  ["scatterlist.dma_address", "dma_addr_t"],
  ["scatterlist.length", "unsigned int"],
  ["resource.start", "resource_size_t"],
  ["resource.end", "resource_size_t"],
  ["dma_slave_config.src_addr", "phys_addr_t"],
  ["dma_slave_config.dst_addr", "phys_addr_t"],
  ["phys_vec.paddr", "phys_addr_t"],
  ["phys_vec.len", "size_t"],
  ["dma_buf_phys_vec.paddr", "phys_addr_t"],
  ["dma_buf_phys_vec.len", "size_t"],
  ["dma_iova_state.addr", "dma_addr_t"],
  ["dmaengine_unmap_data.addr", "dma_addr_t[]"],
  ["pci_dev.rom", "phys_addr_t"],
  ["urb.transfer_dma", "dma_addr_t"],
  ["urb.setup_dma", "dma_addr_t"],
]);
