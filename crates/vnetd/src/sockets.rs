//! The sockets of the program: those of systemd, those at given paths, or that of a session.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use listenfd::ListenFd;
use nix::sys::stat::{Mode, umask};
use vnet_driver::UserFolders;
use vnetd::RpcSocket;

use crate::folders;

/// The bit of a file's mode by which everybody may write to it, and so connect to a socket.
const EVERYBODY_WRITES: u32 = 0o002;

/// The options for sockets.
#[derive(Debug, clap::Args)]
pub(crate) struct Paths {
    /// Listen at this path [default: the sockets of systemd; for an ordinary user without them
    /// $XDG_RUNTIME_DIR/libvirt/virtnetworkd-sock]
    #[arg(long, value_name = "PATH")]
    listen: Option<PathBuf>,
    /// Listen at this path for clients that only read
    #[arg(long, value_name = "PATH")]
    listen_read_only: Option<PathBuf>,
}

/// The sockets, and those of their files that this process has made.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    pub(crate) all: Vec<RpcSocket>,
    made: Vec<Made>,
}

/// The file of a socket.
#[derive(Debug)]
struct Made {
    path: PathBuf,
    inode: u64,
}

impl Paths {
    /// Begins to listen. A socket at which everybody may change networks is refused, unless polkit
    /// is asked.
    pub(crate) fn sockets(&self, asks_polkit: bool) -> anyhow::Result<Sockets> {
        let mut sockets = Sockets::default();
        let given = [(&self.listen, false), (&self.listen_read_only, true)];
        for (path, is_read_only) in
            given.into_iter().filter_map(|(path, is_read_only)| Some((path.as_ref()?, is_read_only)))
        {
            sockets.listen(path, is_read_only, asks_polkit)?;
        }
        if sockets.all.is_empty() {
            sockets.take_handed(asks_polkit)?;
        }
        match sockets.all.is_empty() {
            true if folders::is_session() => sockets.listen_for_session()?,
            true => bail!("no socket to serve: systemd starts this program by vnetd.socket, or give --listen PATH"),
            false => {}
        }
        Ok(sockets)
    }
}

impl Sockets {
    /// Takes the sockets of systemd. One whose name ends in `-ro` is read-only.
    fn take_handed(&mut self, asks_polkit: bool) -> anyhow::Result<()> {
        let mut handed = ListenFd::from_env();
        for index in 0..handed.len() {
            let listener = handed.take_unix_listener(index).context("systemd handed over what is no Unix socket")?;
            let Some(listener) = listener else { continue };
            let address = listener.local_addr()?;
            let name = address.as_pathname().and_then(|path| path.file_name()).unwrap_or_default();
            let is_read_only = name.to_string_lossy().ends_with("-ro");
            self.add(listener, is_read_only, asks_polkit)?;
        }
        Ok(())
    }

    /// Listens where libvirt's clients of this user look. Nobody else may connect.
    fn listen_for_session(&mut self) -> anyhow::Result<()> {
        let runtime = UserFolders::runtime()?.context("$XDG_RUNTIME_DIR is not set: give --listen PATH")?;
        let folder = runtime.join("libvirt");
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
        let before = umask(Mode::from_bits_truncate(0o177));
        let listens = self.listen(&folder.join("virtnetworkd-sock"), false, false);
        umask(before);
        listens
    }

    fn listen(&mut self, path: &Path, is_read_only: bool, asks_polkit: bool) -> anyhow::Result<()> {
        if UnixStream::connect(path).is_ok() {
            bail!("another program listens at `{}`", path.display());
        }
        // A socket that nobody listens at is left over.
        let _ = fs::remove_file(path);
        let listener = UnixListener::bind(path).with_context(|| format!("cannot listen at `{}`", path.display()))?;
        let inode = fs::symlink_metadata(path)?.ino();
        self.made.push(Made { path: path.to_owned(), inode });
        let added = self.add(listener, is_read_only, asks_polkit);
        if added.is_err() {
            self.remove_files();
        }
        added
    }

    fn add(&mut self, listener: UnixListener, is_read_only: bool, asks_polkit: bool) -> anyhow::Result<()> {
        if !is_read_only && !asks_polkit {
            refuse_everybody(&listener)?;
        }
        self.all.push(RpcSocket::new(listener, is_read_only));
        Ok(())
    }

    /// Removes the files that this process has made: a client would take one for a server.
    pub(crate) fn remove_files(&self) {
        for Made { path, inode } in &self.made {
            // Another server may have begun there.
            if fs::symlink_metadata(path).is_ok_and(|file| file.ino() == *inode) {
                let _ = fs::remove_file(path);
            }
        }
    }
}

/// Fails when everybody may connect to a socket.
fn refuse_everybody(listener: &UnixListener) -> anyhow::Result<()> {
    let address = listener.local_addr()?;
    let Some(path) = address.as_pathname() else {
        bail!("everybody may connect to a socket without a file: give it a path, or ask polkit with --polkit");
    };
    let file = fs::metadata(path).with_context(|| format!("cannot read the mode of `{}`", path.display()))?;
    if file.mode() & EVERYBODY_WRITES != 0 {
        let mode = file.mode() & 0o777;
        bail!(
            "everybody may change networks at `{}` (mode {mode:04o}): ask polkit with --polkit, or let only some \
             connect, with SocketMode=0660 and SocketGroup= in vnetd.socket",
            path.display()
        );
    }
    Ok(())
}
