//! The options for the guest and the owner of an interface.

use vnet_driver::AttachOptions;
use vnet_types::Uuid;

/// The guest and the owner of an interface.
#[derive(Clone, Debug, Default, PartialEq, clap::Args)]
pub(crate) struct For {
    /// The user who may open the tap without any capability, by name or number [default: you,
    /// unless --group is given]
    #[arg(long, value_name = "USER", value_parser = user)]
    owner: Option<u32>,
    /// The group whose members may open the tap without any capability, by name or number
    #[arg(long, value_name = "GROUP", value_parser = group)]
    group: Option<u32>,
    /// The guest's name, for `vnet ports` and the network's record
    #[arg(long, value_name = "NAME")]
    guest: Option<String>,
    /// The guest's UUID, for the network's record
    #[arg(long, value_name = "UUID")]
    guest_uuid: Option<Uuid>,
}

impl For {
    /// A guest's name alone.
    pub(crate) fn guest(name: String) -> Self {
        Self { guest: Some(name), ..Self::default() }
    }

    /// As the driver takes them.
    pub(crate) fn options(&self) -> AttachOptions {
        AttachOptions {
            owner: self.owner,
            group: self.group,
            guest: self.guest.clone(),
            guest_uuid: self.guest_uuid,
            ..AttachOptions::default()
        }
    }
}

fn user(text: &str) -> Result<u32, String> {
    let known = |name: &str| nix::unistd::User::from_name(name).ok().flatten().map(|user| user.uid.as_raw());
    text.parse().ok().or_else(|| known(text)).ok_or_else(|| format!("there is no user `{text}`"))
}

fn group(text: &str) -> Result<u32, String> {
    let known = |name: &str| nix::unistd::Group::from_name(name).ok().flatten().map(|group| group.gid.as_raw());
    text.parse().ok().or_else(|| known(text)).ok_or_else(|| format!("there is no group `{text}`"))
}
