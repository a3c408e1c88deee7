//! `vnetd`: libvirt's network driver for its own clients.

mod folders;
mod sockets;

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::pipe;
use vnetd::RpcServer;

use crate::folders::Folders;
use crate::sockets::Paths;

/// Serve vnet's networks to libvirt's clients: virsh, virtqemud, virt-manager
///
/// systemd starts it with the first client and hands it the sockets; a socket whose name ends in
/// `-ro` is read-only. It ends when no client is connected, and keeps nothing: all state is the
/// driver's. Root serves the system's networks, another user its own (`network:///session`).
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    paths: Paths,
    /// End when no client was connected for so many seconds; 0: never
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
    /// Ask polkit about every client but root (org.libvirt.unix.manage, org.libvirt.unix.monitor);
    /// without this, who can open a socket may use it, and a socket that everybody can open is
    /// refused
    #[arg(long)]
    polkit: bool,
    #[command(flatten)]
    folders: Folders,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&error);
            ExitCode::from(2)
        }
    }
}

#[expect(clippy::print_stderr, reason = "the journal reads it")]
fn tell(error: &anyhow::Error) {
    let help = error.downcast_ref().and_then(vnet_driver::Error::help);
    eprintln!("vnetd: {error:#}{}", help.map(|help| format!("; {help}")).unwrap_or_default());
}

fn run(args: &Args) -> anyhow::Result<()> {
    // Signals that are blocked would stay so in dnsmasq, which would not end when it is told to.
    let (stop, told) = UnixStream::pair()?;
    for signal in [SIGTERM, SIGINT] {
        pipe::register(signal, told.try_clone()?)?;
    }
    let driver = args.folders.driver()?;
    // No client sees what a killed process has left half done. What cannot be ended, its call says.
    let ended = driver.end_interrupted().unwrap_or_else(|error| vec![error]);
    ended.into_iter().for_each(|error| tell(&error.into()));
    let server = if folders::is_session() { RpcServer::of_session(driver) } else { RpcServer::of_system(driver) };
    let mut sockets = args.paths.sockets(args.polkit)?;
    let mut server = sockets.all.drain(..).fold(server?, RpcServer::with_socket);
    if args.polkit {
        server = server.asking_polkit();
    }
    if args.timeout > 0 {
        server = server.ending_when_idle(Duration::from_secs(args.timeout));
    }
    let served = server.run(stop.as_fd()).context("a socket cannot be used");
    sockets.remove_files();
    served
}
