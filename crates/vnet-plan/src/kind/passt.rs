//! A guest's passt.

use vnet_passt::Passt;

use super::Kind;
use crate::Key;

impl Kind for Passt {
    fn key(&self) -> Key {
        Key::Process(self.pid_file.as_ref().unwrap_or(&self.socket).clone())
    }

    fn added(&self) -> String {
        format!("run passt {}", arguments(self))
    }

    fn deleted(&self) -> String {
        format!("stop passt {}", arguments(self))
    }

    fn effect_of_delete(&self) -> Option<&'static str> {
        Some("the guest has no network any more")
    }

    fn effect_of_change(&self, _: &Self) -> Option<&'static str> {
        Some("the guest's connections end; it has to connect again")
    }
}

fn arguments(passt: &Passt) -> String {
    let arguments = passt.arguments().unwrap_or_default();
    arguments.iter().map(|argument| argument.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
