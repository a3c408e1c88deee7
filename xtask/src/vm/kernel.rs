//! The kernel: on Debian and Ubuntu the distribution's package for virtual machines, downloaded and
//! unpacked below `target/vm` but not installed; elsewhere the machine's own.

use std::fs;
use std::path::{Path, PathBuf};

use crate::packages;
use crate::run::{Failed, can, failed, output, run_in};

/// A kernel and its modules.
pub(crate) struct Kernel {
    /// The file that qemu boots.
    pub(crate) image: PathBuf,
    /// `lib/modules/RELEASE`: the modules are in its folder `kernel`.
    pub(crate) modules: PathBuf,
}

impl Kernel {
    /// Its release, as `uname -r` prints it.
    pub(crate) fn release(&self) -> &str {
        self.modules.file_name().and_then(|name| name.to_str()).expect("found by its name, which is text")
    }
}

/// The kernel in `folder`. On Debian it is downloaded if it is missing.
pub(crate) fn kernel(folder: &Path) -> Result<Kernel, Failed> {
    let unpacked = folder.join("kernel");
    if !can("apt-get", &["--version"]) {
        return find(Path::new("/")).ok_or_else(|| {
            Failed("no kernel for virtual machines: /lib/modules has none with a readable vmlinuz".to_owned())
        });
    }
    if let Some(kernel) = find(&unpacked) {
        return Ok(kernel);
    }
    let partial = folder.join("kernel.partial");
    let _ = fs::remove_dir_all(&partial);
    fs::create_dir_all(&partial).map_err(failed(&partial))?;
    fetch(&partial)?;
    fs::rename(&partial, &unpacked).map_err(failed(&unpacked))?;
    find(&unpacked).ok_or_else(|| Failed(format!("no kernel with modules in {}", unpacked.display())))
}

/// The newest kernel below a root folder: Debian has the image in `boot`, Fedora beside the
/// modules. These are in `usr` since Debian 13.
fn find(root: &Path) -> Option<Kernel> {
    let folders = ["lib/modules", "usr/lib/modules"].map(|folder| root.join(folder));
    let kernels = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().filter_map(|release| {
        let modules = release.ok()?.path();
        let release = modules.file_name()?.to_str()?;
        let images = [modules.join("vmlinuz"), root.join("boot").join(format!("vmlinuz-{release}"))];
        let image = images.into_iter().find(|image| fs::File::open(image).is_ok())?;
        modules.join("kernel").is_dir().then_some(Kernel { image, modules })
    });
    kernels.max_by(|a, b| a.modules.cmp(&b.modules))
}

fn fetch(to: &Path) -> Result<(), Failed> {
    let known = || packages::KERNELS.iter().find(|package| can("apt-cache", &["show", package]));
    if known().is_none() {
        packages::refresh()?;
    }
    let newest = known().ok_or_else(|| Failed(format!("apt knows none of {}", packages::KERNELS.join(", "))))?;
    let listed = output("apt-cache", &["depends", "--recurse", "--no-recommends", "--no-suggests", newest])?;
    let mut names: Vec<&str> = listed.lines().filter(|line| is_certain_kernel(line)).collect();
    names.sort_unstable();
    names.dedup();
    run_in(to, "apt-get", &[&["download", "-q"], &names[..]].concat())?;
    for entry in fs::read_dir(to).map_err(failed(to))? {
        let package = entry.map_err(failed(to))?.path();
        if package.extension().is_some_and(|it| it == "deb") {
            run_in(to, "dpkg-deb", &["-x", &package.display().to_string(), "."])?;
            fs::remove_file(&package).map_err(failed(&package))?;
        }
    }
    Ok(())
}

/// Whether a package has a kernel: it is not a metapackage and not a variant.
fn is_certain_kernel(name: &str) -> bool {
    let begins = ["linux-image-", "linux-modules-"].iter().find_map(|begin| name.strip_prefix(begin));
    begins.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()) && !rest.ends_with("-unsigned"))
}
