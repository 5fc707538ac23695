/**
 * The machines that come with p2plint: what reviewers argue about when they argue about peer-to-peer DMA. The JSON
 * files beside this one are examples of the format, too. Pure.
 *
 * @module
 */

import { topologyFrom } from "./read_topology.ts";
import { type Fabric, fabricOf } from "./topology.ts";
import pc from "./topologies/pc.json" with { type: "json" };
import rootPorts from "./topologies/root-ports.json" with { type: "json" };
import rootPortsPt from "./topologies/root-ports-pt.json" with { type: "json" };
import socRootPorts from "./topologies/soc-root-ports.json" with { type: "json" };
import socSwitch from "./topologies/soc-switch.json" with { type: "json" };
import switchPlain from "./topologies/switch.json" with { type: "json" };
import switchAcs from "./topologies/switch-acs.json" with { type: "json" };
import switchIommu from "./topologies/switch-iommu.json" with { type: "json" };
import twoOldSockets from "./topologies/two-old-sockets.json" with { type: "json" };
import twoSockets from "./topologies/two-sockets.json" with { type: "json" };

/** The built-in machines, the common ones first. */
export const BUILTIN: readonly Fabric[] = [
  rootPorts,
  rootPortsPt,
  twoSockets,
  switchAcs,
  switchPlain,
  switchIommu,
  socSwitch,
  socRootPorts,
  pc,
  twoOldSockets,
].map((json) => {
  const { topology, problems } = topologyFrom(json);
  if (topology === null) {
    throw new Error(`Cannot read built-in topology "${json.name}": ${problems.join("; ")}`);
  }
  return fabricOf(topology);
});
