/**
 * How C code names the struct device that issues the DMA, and the struct devices that issue none. Facts only.
 *
 * @module
 */

/** A function or macro that returns a struct device. */
export interface DeviceCall {
  readonly name: string;
  /** 0-based position of the object that it is asked about. */
  readonly argument: number;
  /**
   * The same device as an expression, `$` for the argument; null when no one expression says it. Two mappings
   * with the two spellings are for the same device.
   */
  readonly means: string | null;
  readonly what: string;
  readonly source: string;
}

/** Calls that return the device to map for. */
export const DEVICE_CALLS: readonly DeviceCall[] = [
  {
    name: "dmaengine_get_dma_device",
    argument: 0,
    // With a per-channel DMA device (chan_dma_dev) it is &chan->dev->device instead.
    means: "$->device->dev",
    what: "the DMA engine that runs the channel",
    source: "include/linux/dmaengine.h",
  },
  {
    name: "mmc_dev",
    argument: 0,
    means: "$->parent",
    what: "the MMC host controller",
    source: "include/linux/mmc/host.h",
  },
  { name: "get_device", argument: 0, means: "$", what: "its argument", source: "drivers/base/core.c" },
  {
    name: "usb_intf_get_dma_device",
    argument: 0,
    means: null,
    what: "the USB host controller",
    source: "drivers/usb/core/usb.c",
  },
  {
    name: "virtqueue_dma_dev",
    argument: 0,
    means: null,
    what: "the transport of the virtio device; NULL without the DMA API",
    source: "drivers/virtio/virtio_ring.c",
  },
  {
    name: "ntb_get_dma_dev",
    argument: 0,
    means: null,
    what: "the device that does the NTB's DMA",
    source: "include/linux/ntb.h",
  },
  {
    name: "iio_dma_buffer_get_dma_dev",
    argument: 0,
    means: null,
    what: "the DMA engine of the IIO buffer",
    source: "include/linux/iio/buffer-dma.h",
  },
  {
    name: "drm_dev_dma_dev",
    argument: 0,
    means: null,
    what: "the device that does the DRM device's DMA",
    source: "include/drm/drm_device.h (2025)",
  },
  {
    name: "wiphy_dev",
    argument: 0,
    means: "$->dev.parent",
    what: "the radio's parent",
    source: "include/net/cfg80211.h",
  },
];

/** A cast from a struct device to the structure around it: `&X->member` of the result is the argument again. */
export interface Container {
  readonly name: string;
  readonly structType: string;
  readonly member: string;
  readonly source: string;
}

/** Casts that undo `&X->dev`. */
export const CONTAINERS: readonly Container[] = [
  { name: "to_pci_dev", structType: "pci_dev", member: "dev", source: "include/linux/pci.h" },
  {
    name: "to_platform_device",
    structType: "platform_device",
    member: "dev",
    source: "include/linux/platform_device.h",
  },
  { name: "to_amba_device", structType: "amba_device", member: "dev", source: "include/linux/amba/bus.h" },
  {
    name: "to_auxiliary_dev",
    structType: "auxiliary_device",
    member: "dev",
    source: "include/linux/auxiliary_bus.h",
  },
];

/** A macro that says who a device's parent is. */
export interface ParentSetter {
  readonly name: string;
  readonly object: number;
  readonly parent: number;
  /** The member of the object that the parent is stored in. */
  readonly member: string;
  readonly source: string;
}

/** Where `X->dev.parent` comes from. */
export const PARENT_SETTERS: readonly ParentSetter[] = [
  { name: "SET_NETDEV_DEV", object: 0, parent: 1, member: "dev.parent", source: "include/linux/netdevice.h" },
  {
    name: "SET_IEEE80211_DEV",
    object: 0,
    parent: 1,
    member: "wiphy->dev.parent",
    source: "include/net/mac80211.h",
  },
];

/** A member of a kernel structure that is, or points to, a struct device. */
export interface DeviceMember {
  /** Tag of the structure, without `struct`. */
  readonly structType: string;
  readonly member: string;
  /** True: the member is a pointer; false: it is embedded, its address is taken. */
  readonly pointer: boolean;
  /** Whether a device of this kind issues DMA and has a mask and an IOMMU. */
  readonly dma: boolean;
  readonly what: string;
  /** Which device to map for when it does none; null otherwise. */
  readonly instead: string | null;
  readonly source: string;
}

/** Embedded in a bus device: the device itself. */
function bus(structType: string, what: string, source: string, member = "dev"): DeviceMember {
  return { structType, member, pointer: false, dma: true, what, instead: null, source };
}

/** A pointer to the device that does the DMA. */
function points(structType: string, member: string, what: string, source: string): DeviceMember {
  return { structType, member, pointer: true, dma: true, what, instead: null, source };
}

/** A device that exists for sysfs, or sits behind a controller that does the DMA for it. */
function inert(
  structType: string,
  member: string,
  what: string,
  instead: string,
  source: string,
  pointer = false,
): DeviceMember {
  return { structType, member, pointer, dma: false, what, instead, source };
}

/** Members by which a declared variable names its device. */
export const DEVICE_MEMBERS: readonly DeviceMember[] = [
  bus("pci_dev", "the PCI function", "include/linux/pci.h"),
  bus("platform_device", "the platform device", "include/linux/platform_device.h"),
  bus("amba_device", "the AMBA device", "include/linux/amba/bus.h"),
  bus("fsl_mc_device", "the fsl-mc object", "include/linux/fsl/mc.h"),
  bus("cdx_device", "the CDX device", "include/linux/cdx/cdx_bus.h"),
  bus("vio_dev", "the VIO device", "arch/powerpc/include/asm/vio.h"),
  bus("pnp_dev", "the PnP device", "include/linux/pnp.h"),
  bus("hv_device", "the VMBus device", "include/linux/hyperv.h", "device"),
  bus("parisc_device", "the PA-RISC device", "arch/parisc/include/asm/parisc-device.h"),
  points("dma_buf_attachment", "dev", "the importer of the dma-buf", "include/linux/dma-buf.h"),
  points("dma_device", "dev", "the DMA engine", "include/linux/dmaengine.h"),
  points(
    "ib_device",
    "dma_device",
    "the adapter below the ib_device; NULL for software ones",
    "include/rdma/ib_verbs.h",
  ),
  points("drm_device", "dev", "the hardware below the DRM device", "include/drm/drm_device.h"),
  points("Scsi_Host", "dma_dev", "the SCSI host's DMA device", "include/scsi/scsi_host.h"),
  points("ata_host", "dev", "the ATA controller", "include/linux/libata.h"),
  points("ata_port", "dev", "the ATA controller", "include/linux/libata.h"),
  points("mmc_host", "parent", "the MMC host controller", "include/linux/mmc/host.h"),
  points("spi_controller", "dma_map_dev", "the device that the SPI core maps for", "include/linux/spi/spi.h"),
  points("usb_bus", "sysdev", "the USB host controller as firmware describes it", "include/linux/usb.h"),
  points("v4l2_device", "dev", "the hardware below the V4L2 device", "include/media/v4l2-device.h"),
  points("snd_card", "dev", "the hardware below the sound card", "include/sound/core.h"),
  points("fb_info", "device", "the hardware below the frame buffer", "include/linux/fb.h"),
  points("vfio_device", "dev", "the device that VFIO hands out", "include/linux/vfio.h"),
  points("nvme_dev", "dev", "the NVMe controller's PCI function", "drivers/nvme/host/pci.c"),
  points("nvme_ctrl", "dev", "the transport's device", "drivers/nvme/host/nvme.h"),
  points("ssb_device", "dma_dev", "the host of the SSB core", "include/linux/ssb/ssb.h"),
  points("bcma_device", "dma_dev", "the host of the BCMA core", "include/linux/bcma/bcma.h"),
  points("mhi_controller", "cntrl_dev", "the MHI controller", "include/linux/mhi.h"),
  inert("net_device", "dev", "the network interface", "->dev.parent", "include/linux/netdevice.h"),
  inert("ib_device", "dev", "the RDMA class device", "->dma_device", "include/rdma/ib_verbs.h"),
  inert(
    "dma_chan_dev",
    "device",
    "the channel's class device",
    "dmaengine_get_dma_device()",
    "include/linux/dmaengine.h",
  ),
  inert(
    "auxiliary_device",
    "dev",
    "a share of its parent",
    "->dev.parent",
    "Documentation/driver-api/auxiliary_bus.rst",
  ),
  inert("mmc_host", "class_dev", "the MMC class device", "mmc_dev()", "include/linux/mmc/host.h"),
  inert("mmc_card", "dev", "the card", "mmc_dev(card->host)", "include/linux/mmc/card.h"),
  inert(
    "sdio_func",
    "dev",
    "the SDIO function",
    "mmc_dev(func->card->host)",
    "include/linux/mmc/sdio_func.h",
  ),
  inert(
    "spi_device",
    "dev",
    "the SPI device",
    "the controller: ->controller->dev.parent",
    "include/linux/spi/spi.h",
  ),
  inert("spi_controller", "dev", "the SPI class device", "->dev.parent", "include/linux/spi/spi.h"),
  inert("i2c_client", "dev", "the I2C device", "the adapter: ->adapter->dev.parent", "include/linux/i2c.h"),
  inert("i2c_adapter", "dev", "the I2C adapter's class device", "->dev.parent", "include/linux/i2c.h"),
  inert("usb_device", "dev", "the USB device", "->bus->sysdev", "include/linux/usb.h"),
  inert("usb_interface", "dev", "the USB interface", "usb_intf_get_dma_device()", "include/linux/usb.h"),
  inert("usb_gadget", "dev", "the gadget", "->dev.parent", "include/linux/usb/gadget.h"),
  inert(
    "virtio_device",
    "dev",
    "the virtio device",
    "virtqueue_dma_dev() or ->dev.parent",
    "include/linux/virtio.h",
  ),
  inert("mdev_device", "dev", "a mediated device", "the parent's device", "include/linux/mdev.h"),
  inert("nvme_ctrl", "device", "the NVMe class device", "->dev", "drivers/nvme/host/nvme.h", true),
  inert("miscdevice", "this_device", "the character device", "->parent", "include/linux/miscdevice.h", true),
  inert(
    "video_device",
    "dev",
    "the video node",
    "->dev_parent or the v4l2_device's dev",
    "include/media/v4l2-dev.h",
  ),
  inert("snd_card", "card_dev", "the sound card's class device", "->dev", "include/sound/core.h"),
  inert("fb_info", "dev", "the frame buffer's class device", "->device", "include/linux/fb.h", true),
  inert("input_dev", "dev", "the input device", "->dev.parent", "include/linux/input.h"),
  inert("rtc_device", "dev", "the RTC class device", "->dev.parent", "include/linux/rtc.h"),
  inert("iio_dev", "dev", "the IIO device", "->dev.parent", "include/linux/iio/iio.h"),
  inert("mtd_info", "dev", "the MTD device", "->dev.parent", "include/linux/mtd/mtd.h"),
  inert("mdio_device", "dev", "the MDIO device", "the MAC's device", "include/linux/mdio.h"),
  inert("Scsi_Host", "shost_gendev", "the SCSI host's sysfs device", "->dma_dev", "include/scsi/scsi_host.h"),
  inert("Scsi_Host", "shost_dev", "the SCSI host's class device", "->dma_dev", "include/scsi/scsi_host.h"),
  inert("scsi_device", "sdev_gendev", "the SCSI device", "->host->dma_dev", "include/scsi/scsi_device.h"),
  inert("ata_port", "tdev", "the ATA port's transport device", "->dev", "include/linux/libata.h"),
  inert("rproc", "dev", "the remoteproc class device", "->dev.parent", "include/linux/remoteproc.h"),
  inert("rpmsg_device", "dev", "the rpmsg channel", "the remote processor's parent", "include/linux/rpmsg.h"),
  inert("mhi_device", "dev", "the MHI channel device", "->mhi_cntrl->cntrl_dev", "include/linux/mhi.h"),
  inert("ssb_device", "dev", "the SSB core", "->dma_dev", "include/linux/ssb/ssb.h", true),
  inert("bcma_device", "dev", "the BCMA core", "->dma_dev", "include/linux/bcma/bcma.h"),
  inert("ntb_dev", "dev", "the NTB class device", "->pdev->dev", "include/linux/ntb.h"),
  inert("pci_epf", "dev", "the endpoint function", "->epc->dev.parent", "include/linux/pci-epf.h"),
  inert(
    "pci_epc",
    "dev",
    "the endpoint controller's class device",
    "->dev.parent",
    "include/linux/pci-epc.h",
  ),
  inert("wiphy", "dev", "the radio's class device", "wiphy_dev()", "include/net/cfg80211.h"),
];

/** Member names that mean a device without DMA in whatever structure they stand. */
export const INERT_MEMBERS: readonly string[] = [
  "class_dev",
  "this_device",
  "card_dev",
  "shost_gendev",
  "shost_dev",
  "sdev_gendev",
];
