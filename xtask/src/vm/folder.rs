//! Builds a root file system: programs with their libraries, kernel modules, files.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::kernel::Kernel;
use crate::packages::find_program;
use crate::run::{Failed, failed, output, run};

/// The folder that becomes an initial file system.
pub(crate) struct Root(PathBuf);

impl Root {
    /// Creates the folders that every system has, and busybox as the shell.
    pub(crate) fn new(folder: PathBuf) -> Result<Self, Failed> {
        let _ = fs::remove_dir_all(&folder);
        let root = Self(folder);
        let folders =
            ["bin", "dev", "etc", "lib", "mnt", "proc", "root", "run", "sbin", "sys", "tmp", "var/lib", "var/tmp"];
        for folder in folders {
            let folder = root.0.join(folder);
            fs::create_dir_all(&folder).map_err(failed(&folder))?;
        }
        root.write("etc/passwd", "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")?;
        root.write("etc/group", "root:x:0:\nnogroup:x:65534:\n")?;
        root.program_as("busybox", "/bin/busybox")?;
        for applet in ["/bin/sh", "/sbin/modprobe"] {
            root.link("/bin/busybox", applet)?;
        }
        Ok(root)
    }

    /// The path of the folder.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a text file that everybody can read and execute.
    pub(crate) fn write(&self, path: &str, text: &str) -> Result<(), Failed> {
        let to = self.0.join(path);
        fs::write(&to, text).map_err(failed(&to))?;
        fs::set_permissions(&to, fs::Permissions::from_mode(0o755)).map_err(failed(&to))
    }

    /// Creates a symbolic link.
    pub(crate) fn link(&self, target: &str, path: &str) -> Result<(), Failed> {
        let to = self.inside(Path::new(path))?;
        symlink(target, &to).map_err(failed(&to))
    }

    /// Copies a program of this machine, found by name, to the same path.
    pub(crate) fn program(&self, name: &str) -> Result<(), Failed> {
        let found = find_program(name).ok_or_else(|| Failed(format!("{name} is not installed")))?;
        self.executable(&found)
    }

    fn program_as(&self, name: &str, path: &str) -> Result<(), Failed> {
        let found = find_program(name).ok_or_else(|| Failed(format!("{name} is not installed")))?;
        self.libraries(&found)?;
        self.copy_as(&found, Path::new(path))
    }

    /// Copies an executable file and its shared libraries to the same paths.
    pub(crate) fn executable(&self, file: &Path) -> Result<(), Failed> {
        self.libraries(file)?;
        self.copy_as(file, file)
    }

    /// The same without the symbols, which are most of a test program: its file takes up memory in
    /// the machine.
    pub(crate) fn stripped(&self, file: &Path) -> Result<(), Failed> {
        self.libraries(file)?;
        let to = self.inside(file)?;
        run("strip", &["-o", &to.display().to_string(), &file.display().to_string()])
    }

    fn libraries(&self, file: &Path) -> Result<(), Failed> {
        // A static program has no libraries, and ldd fails.
        let listed = output("ldd", &[&file.display().to_string()]).unwrap_or_default();
        let libraries = listed.split_whitespace().filter(|word| word.starts_with('/'));
        libraries.map(Path::new).try_for_each(|library| self.copy_as(library, library))
    }

    /// Copies a file or a whole folder to the same path.
    pub(crate) fn copy(&self, from: &Path) -> Result<(), Failed> {
        if !from.is_dir() {
            return self.copy_as(from, from);
        }
        let to = self.inside(from)?;
        let parent = to.parent().unwrap_or(&to).display().to_string();
        run("cp", &["-a", &from.display().to_string(), &parent])
    }

    /// Copies a kernel's modules from these folders, and writes the lists that modprobe reads.
    pub(crate) fn modules(&self, kernel: &Kernel, folders: &[&str]) -> Result<(), Failed> {
        let release = Path::new("lib/modules").join(kernel.release());
        for folder in folders {
            // A folder, or a module, which Debian 13 and Fedora have compressed.
            let names = [(*folder).to_owned(), format!("{folder}.xz")];
            let places = names.map(|name| {
                (kernel.modules.join("kernel").join(&name), self.0.join(&release).join("kernel").join(&name))
            });
            let Some((from, to)) = places.into_iter().find(|(from, _)| from.exists()) else {
                continue;
            };
            let parent = to.parent().unwrap_or(&to);
            fs::create_dir_all(parent).map_err(failed(parent))?;
            run("cp", &["-a", &from.display().to_string(), &parent.display().to_string()])?;
            let unpack = ["-name", "*.ko.xz", "-exec", "busybox", "unxz", "{}", ";"];
            run("busybox", &[&["find", &to.display().to_string()], &unpack[..]].concat())?;
        }
        for list in ["modules.builtin", "modules.order", "modules.builtin.modinfo"] {
            let (from, to) = (kernel.modules.join(list), self.0.join(&release).join(list));
            fs::copy(&from, &to).map_err(failed(&from))?;
        }
        run("busybox", &["depmod", "-b", &self.0.display().to_string(), kernel.release()])
    }

    fn copy_as(&self, from: &Path, path: &Path) -> Result<(), Failed> {
        let to = self.inside(path)?;
        if !to.exists() {
            fs::copy(from, &to).map_err(failed(from))?;
        }
        Ok(())
    }

    /// A path of this machine, inside the folder.
    fn inside(&self, path: &Path) -> Result<PathBuf, Failed> {
        let to = self.0.join(path.strip_prefix("/").unwrap_or(path));
        let parent = to.parent().unwrap_or(&self.0);
        fs::create_dir_all(parent).map_err(failed(parent))?;
        Ok(to)
    }
}
