//! What the reference plugin `tuning` has changed in a container and no result says
//! (<https://www.cni.dev/plugins/current/meta/tuning/>).

use std::fs;
use std::path::Path;

use serde_json::Value;
use vnet_driver::Attachment;

/// The folder where it keeps what it has replaced, unless its `dataDir` is another one.
const FOLDER: &str = "/run/cni/tuning";

/// Whether it has changed the MTU of a container's interface. It compares that itself in CHECK.
pub(super) fn has_changed_mtu(attachment: &Attachment) -> bool {
    let file = format!("{}_{}.json", attachment.container, attachment.interface);
    let kept = fs::read(Path::new(FOLDER).join(file)).ok();
    let kept: Option<Value> = kept.and_then(|text| serde_json::from_slice(&text).ok());
    kept.is_some_and(|kept| kept["mtu"].as_u64().is_some_and(|mtu| mtu != 0))
}
