//! Whether the kernel has flowtables.

use super::Firewall;
use crate::kernel::trial;

/// `EINVAL`
const INVALID: i32 = 22;

impl Firewall {
    /// Whether the kernel has flowtables for the family `inet`, and rules that add connections to
    /// them (`nf_flow_table_inet`, `nft_flow_offload`). The kernel loads these modules if it has
    /// them. Nothing is changed. `None` without `CAP_NET_ADMIN`.
    pub fn has_flowtables(&self) -> Option<bool> {
        let refused = self.netfilter.commit(&trial()).err()?;
        (!refused.is_permission_denied()).then_some(refused.errno == INVALID)
    }
}
