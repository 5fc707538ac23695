/**
 * The catalogue: every rule, sorted by id.
 *
 * @module
 */

import type { Rule } from "./engine/rule.ts";
import dmaAddrHalfLost from "./dma-addr-half-lost.ts";
import dmaAddrMappedAgain from "./dma-addr-mapped-again.ts";
import dmaAddrTruncated from "./dma-addr-truncated.ts";
import dmaAddrWidthAssumed from "./dma-addr-width-assumed.ts";
import dmaApiVersionMismatch from "./dma-api-version-mismatch.ts";
import dmaArgsSwapped from "./dma-args-swapped.ts";
import dmaBufferFilledAfterMap from "./dma-buffer-filled-after-map.ts";
import dmaBufferUsedBeforeUnmap from "./dma-buffer-used-before-unmap.ts";
import dmaCoherentPageLookup from "./dma-coherent-page-lookup.ts";
import dmaDeviceMismatch from "./dma-device-mismatch.ts";
import dmaHandleCrossesDevices from "./dma-handle-crosses-devices.ts";
import dmaIovaLinkConstantOffset from "./dma-iova-link-constant-offset.ts";
import dmaIovaResultIgnored from "./dma-iova-result-ignored.ts";
import dmaMapOfUnmappableMemory from "./dma-map-of-unmappable-memory.ts";
import dmaMapOnIomemPointer from "./dma-map-on-iomem-pointer.ts";
import dmaMapSgReturnMisread from "./dma-map-sg-return-misread.ts";
import dmaMapSingleOfPhys from "./dma-map-single-of-phys.ts";
import dmaMappingLeak from "./dma-mapping-leak.ts";
import dmaMappingUnchecked from "./dma-mapping-unchecked.ts";
import dmaMappingWrongTest from "./dma-mapping-wrong-test.ts";
import dmaMaskUnchecked from "./dma-mask-unchecked.ts";
import dmaMaskValue from "./dma-mask-value.ts";
import dmaMmioAttrMisuse from "./dma-mmio-attr-misuse.ts";
import dmaPrintkFormat from "./dma-printk-format.ts";
import dmaSgCpuListMissing from "./dma-sg-cpu-list-missing.ts";
import dmaSgLengthOverflow from "./dma-sg-length-overflow.ts";
import dmaSgOffsetTwice from "./dma-sg-offset-twice.ts";
import dmaSgSidesMixed from "./dma-sg-sides-mixed.ts";
import dmaSgWrongNents from "./dma-sg-wrong-nents.ts";
import dmaSkipSyncInverted from "./dma-skip-sync-inverted.ts";
import dmaSyncOfCoherent from "./dma-sync-of-coherent.ts";
import dmaUnmapArgsMismatch from "./dma-unmap-args-mismatch.ts";
import dmaUnmapOfFailedMapping from "./dma-unmap-of-failed-mapping.ts";
import dmaUnmapWrongFunction from "./dma-unmap-wrong-function.ts";
import dmaWrongStructDevice from "./dma-wrong-struct-device.ts";
import dmabufExporterPrivate from "./dmabuf-exporter-private.ts";
import dmabufMapForExporterDevice from "./dmabuf-map-for-exporter-device.ts";
import dmabufMmioWithoutPeer2peer from "./dmabuf-mmio-without-peer2peer.ts";
import dmabufReferenceUnbalanced from "./dmabuf-reference-unbalanced.ts";
import dmabufResvLocking from "./dmabuf-resv-locking.ts";
import dmabufRevokeProtocol from "./dmabuf-revoke-protocol.ts";
import dmabufUnmappedTable from "./dmabuf-unmapped-table.ts";
import iommuDomainTakenForTranslation from "./iommu-domain-taken-for-translation.ts";
import iommuMapIntoDmaDomain from "./iommu-map-into-dma-domain.ts";
import iommuMapMmioAttrs from "./iommu-map-mmio-attrs.ts";
import iommuMapSgReturnMisread from "./iommu-map-sg-return-misread.ts";
import iommuRequiredMask from "./iommu-required-mask.ts";
import p2pBusAddressAsPhys from "./p2p-bus-address-as-phys.ts";
import p2pDmaMapResourceOnBar from "./p2p-dma-map-resource-on-bar.ts";
import p2pGupLongterm from "./p2p-gup-longterm.ts";
import p2pMapStateSharedBetweenDevices from "./p2p-map-state-shared-between-devices.ts";
import p2pMapTypeNotExhaustive from "./p2p-map-type-not-exhaustive.ts";
import p2pMappingOutlivesProvider from "./p2p-mapping-outlives-provider.ts";
import p2pOpenCodedBusOffset from "./p2p-open-coded-bus-offset.ts";
import p2pPageMappedAsRam from "./p2p-page-mapped-as-ram.ts";
import p2pRawBarPhysAsDmaAddr from "./p2p-raw-bar-phys-as-dma-addr.ts";
import p2pSymbolNotLinkable from "./p2p-symbol-not-linkable.ts";
import p2pUnmapOfBusAddress from "./p2p-unmap-of-bus-address.ts";
import p2pdmaProviderSetup from "./p2pdma-provider-setup.ts";
import p2pmemCpuAccessAndRefs from "./p2pmem-cpu-access-and-refs.ts";
import pfnValidOfPage from "./pfn-valid-of-page.ts";
import physUsedAsDmaAddr from "./phys-used-as-dma-addr.ts";
import rdmaMapMrShort from "./rdma-map-mr-short.ts";
import removedDmaApi from "./removed-dma-api.ts";
import sgPageOffsetLost from "./sg-page-offset-lost.ts";

/** Every rule, sorted by id. */
export const rules: readonly Rule[] = [
  dmaAddrHalfLost,
  dmaAddrMappedAgain,
  dmaAddrTruncated,
  dmaAddrWidthAssumed,
  dmaApiVersionMismatch,
  dmaArgsSwapped,
  dmaBufferFilledAfterMap,
  dmaBufferUsedBeforeUnmap,
  dmaCoherentPageLookup,
  dmaDeviceMismatch,
  dmaHandleCrossesDevices,
  dmaIovaLinkConstantOffset,
  dmaIovaResultIgnored,
  dmaMapOfUnmappableMemory,
  dmaMapOnIomemPointer,
  dmaMapSgReturnMisread,
  dmaMapSingleOfPhys,
  dmaMappingLeak,
  dmaMappingUnchecked,
  dmaMappingWrongTest,
  dmaMaskUnchecked,
  dmaMaskValue,
  dmaMmioAttrMisuse,
  dmaPrintkFormat,
  dmaSgCpuListMissing,
  dmaSgLengthOverflow,
  dmaSgOffsetTwice,
  dmaSgSidesMixed,
  dmaSgWrongNents,
  dmaSkipSyncInverted,
  dmaSyncOfCoherent,
  dmaUnmapArgsMismatch,
  dmaUnmapOfFailedMapping,
  dmaUnmapWrongFunction,
  dmaWrongStructDevice,
  dmabufExporterPrivate,
  dmabufMapForExporterDevice,
  dmabufMmioWithoutPeer2peer,
  dmabufReferenceUnbalanced,
  dmabufResvLocking,
  dmabufRevokeProtocol,
  dmabufUnmappedTable,
  iommuDomainTakenForTranslation,
  iommuMapIntoDmaDomain,
  iommuMapMmioAttrs,
  iommuMapSgReturnMisread,
  iommuRequiredMask,
  p2pBusAddressAsPhys,
  p2pDmaMapResourceOnBar,
  p2pGupLongterm,
  p2pMapStateSharedBetweenDevices,
  p2pMapTypeNotExhaustive,
  p2pMappingOutlivesProvider,
  p2pOpenCodedBusOffset,
  p2pPageMappedAsRam,
  p2pRawBarPhysAsDmaAddr,
  p2pSymbolNotLinkable,
  p2pUnmapOfBusAddress,
  p2pdmaProviderSetup,
  p2pmemCpuAccessAndRefs,
  pfnValidOfPage,
  physUsedAsDmaAddr,
  rdmaMapMrShort,
  removedDmaApi,
  sgPageOffsetLost,
];
