//! `vnetd`: libvirt's network driver for its own clients.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Parser;
use listenfd::ListenFd;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::pipe;
use vnet_driver::Driver;
use vnetd::{RpcServer, RpcSocket};

/// Serve vnet's networks to libvirt's clients: virsh, virtqemud, virt-manager
///
/// systemd starts it with the first client and hands it the sockets; a socket whose name ends in
/// `-ro` is read-only. It ends when no client is connected, and keeps nothing: all state is the
/// driver's.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Listen at this path, in place of the sockets of systemd
    #[arg(long, value_name = "PATH")]
    listen: Option<PathBuf>,
    /// Listen at this path for clients that only read
    #[arg(long, value_name = "PATH")]
    listen_read_only: Option<PathBuf>,
    /// End when no client was connected for so many seconds; 0: never
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
    /// Ask polkit about every client but root (org.libvirt.unix.manage, org.libvirt.unix.monitor);
    /// without this, who can open a socket may use it
    #[arg(long)]
    polkit: bool,
    /// The folder for the state of running networks
    #[arg(long, env = "VNET_STATE_DIR", value_name = "DIR", default_value = "/run/vnet", hide_env = true)]
    state_dir: PathBuf,
    /// The folder for definitions, as networks/NAME.xml [default: /etc/vnet]
    #[arg(long, env = "VNET_CONFIG_DIR", value_name = "DIR", hide_env = true)]
    config_dir: Option<PathBuf>,
    /// The folder for leases, as NAME/leases [default: /var/lib/vnet]
    #[arg(long, env = "VNET_DATA_DIR", value_name = "DIR", hide_env = true)]
    data_dir: Option<PathBuf>,
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
    eprintln!("vnetd: {error:#}");
}

fn run(args: &Args) -> anyhow::Result<()> {
    // Signals that are blocked would stay so in dnsmasq, which would not end when it is told to.
    let (stop, told) = UnixStream::pair()?;
    for signal in [SIGTERM, SIGINT] {
        pipe::register(signal, told.try_clone()?)?;
    }
    let mut driver = Driver::open(&args.state_dir)?;
    if let Some(folder) = &args.config_dir {
        driver = driver.with_definitions(folder);
    }
    if let Some(folder) = &args.data_dir {
        driver = driver.with_data(folder);
    }
    let mut server = RpcServer::of_system(driver)?;
    for socket in sockets(args)? {
        server = server.with_socket(socket);
    }
    if args.polkit {
        server = server.asking_polkit();
    }
    if args.timeout > 0 {
        server = server.ending_when_idle(Duration::from_secs(args.timeout));
    }
    server.run(stop.as_fd()).context("a socket cannot be used")
}

/// The sockets to serve.
fn sockets(args: &Args) -> anyhow::Result<Vec<RpcSocket>> {
    let given = [(&args.listen, false), (&args.listen_read_only, true)];
    let mut sockets = Vec::new();
    for (path, is_read_only) in
        given.into_iter().filter_map(|(path, is_read_only)| Some((path.as_ref()?, is_read_only)))
    {
        // A socket that nobody listens at is left over.
        let _ = fs::remove_file(path);
        let listener = UnixListener::bind(path).with_context(|| format!("cannot listen at `{}`", path.display()))?;
        sockets.push(RpcSocket::new(listener, is_read_only));
    }
    if !sockets.is_empty() {
        return Ok(sockets);
    }
    let mut handed = ListenFd::from_env();
    for index in 0..handed.len() {
        let listener = handed.take_unix_listener(index).context("systemd handed over what is no Unix socket")?;
        let Some(listener) = listener else { continue };
        let address = listener.local_addr()?;
        let name = address.as_pathname().and_then(|path| path.file_name()).unwrap_or_default();
        let is_read_only = name.to_string_lossy().ends_with("-ro");
        sockets.push(RpcSocket::new(listener, is_read_only));
    }
    if sockets.is_empty() {
        bail!("no socket to serve: systemd starts this program by vnetd.socket, or give --listen PATH");
    }
    Ok(sockets)
}
