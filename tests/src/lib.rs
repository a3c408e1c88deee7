//! The harness of vnet's integration tests: each test gets its own network stack.
//!
//! ```no_run
//! #[test]
//! fn a_bridge() {
//!     vnet_tests::isolate!();
//!     vnet_tests::run("ip", &["link", "add", "virbr0", "type", "bridge"]);
//!     assert_eq!(vnet_tests::json("ip", &["-j", "link", "show", "virbr0"])[0]["ifname"], "virbr0");
//! }
//! ```

mod cable;
mod furnish;
mod guest;
mod isolate;
mod named;
mod netns;
mod ovn;
mod program;
mod schema;
mod switch;

pub use cable::Machine;
pub use guest::Guest;
pub use isolate::{Passed, Place, place};
pub use named::NamedNetns;
pub use netns::Netns;
pub use ovn::{OvnCentral, OvnHost, OvnLab};
pub use program::{
    commands, json, path_to_programs, program, run, tell, tell_vnet, vnet, vnet_cni, vnet_does, vnetd, wait_for,
};
pub use schema::as_its_schema_says;
pub use switch::{OpenVSwitch, OvsdbServer};
pub use vnet_lab::without_capabilities;
