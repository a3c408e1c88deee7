//! What a kernel can do that not every kernel can.

use std::fmt;

/// Parts of a kernel that its builder may have left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Features {
    /// Bridges can filter VLANs (`CONFIG_BRIDGE_VLAN_FILTERING`).
    pub vlan_filtering: bool,
    /// Traffic can be policed as it comes in (`act_police`).
    pub police: bool,
    /// Queues can be fair to the flows in them (`sch_sfq`).
    pub sfq: bool,
    /// Traffic can be sorted by its mark (`cls_fw`).
    pub fw: bool,
    /// Checksums can be filled in (`act_csum`).
    pub csum: bool,
}

impl Features {
    /// A kernel with everything.
    pub const ALL: Self = Self { vlan_filtering: true, police: true, sfq: true, fw: true, csum: true };
}

impl Default for Features {
    /// Nothing is known to be missing; what networks run without too is not taken for granted.
    fn default() -> Self {
        Self { csum: false, ..Self::ALL }
    }
}

/// The parts that there are.
impl fmt::Display for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = [
            ("vlan_filtering", self.vlan_filtering),
            ("police", self.police),
            ("sfq", self.sfq),
            ("fw", self.fw),
            ("csum", self.csum),
        ];
        let there: Vec<&str> = all.into_iter().filter(|(_, there)| *there).map(|(word, _)| word).collect();
        f.write_str(&there.join(" "))
    }
}
