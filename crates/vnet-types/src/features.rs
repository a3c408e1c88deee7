//! Optional features of the kernel.

use std::fmt;

/// The optional features of a kernel, which its build may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Features {
    /// Bridges can filter VLANs (`CONFIG_BRIDGE_VLAN_FILTERING`).
    pub vlan_filtering: bool,
    /// Incoming traffic can be policed (`act_police`).
    pub police: bool,
    /// A queue can serve its flows fairly (`sch_sfq`).
    pub sfq: bool,
    /// Packets can be classified by their mark (`cls_fw`).
    pub fw: bool,
    /// Checksums can be filled in (`act_csum`).
    pub csum: bool,
    /// Established connections can skip the rules (`nf_flow_table_inet`, `nft_flow_offload`).
    pub flowtable: bool,
}

impl Features {
    /// A kernel with all features.
    pub const ALL: Self = Self { vlan_filtering: true, police: true, sfq: true, fw: true, csum: true, flowtable: true };
}

impl Default for Features {
    /// The features to assume if the kernel was not asked: all except `csum`, which networks can do
    /// without.
    fn default() -> Self {
        Self { csum: false, ..Self::ALL }
    }
}

/// The names of the available features.
impl fmt::Display for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = [
            ("vlan_filtering", self.vlan_filtering),
            ("police", self.police),
            ("sfq", self.sfq),
            ("fw", self.fw),
            ("csum", self.csum),
            ("flowtable", self.flowtable),
        ];
        let there: Vec<&str> = all.into_iter().filter(|(_, there)| *there).map(|(word, _)| word).collect();
        f.write_str(&there.join(" "))
    }
}
