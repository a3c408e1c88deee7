//! What is installed, put together in a folder that stands for `/`.

use std::fs;
use std::path::{Path, PathBuf};

use super::{PROGRAMS, dependencies, path};
use crate::run::{Failed, failed, output, root, run};

/// The shells, and where each looks for completions.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "usr/share/bash-completion/completions/vnet"),
    ("zsh", "usr/share/zsh/vendor-completions/_vnet"),
    ("fish", "usr/share/fish/vendor_completions.d/vnet.fish"),
];
/// The folder of documents.
const DOC: &str = "usr/share/doc/vnet";
/// The dependencies of the programs, as CycloneDX writes them.
const BILL: &str = "usr/share/doc/vnet/vnet.cdx.json";

pub(super) struct Stage<'a> {
    pub(super) folder: PathBuf,
    /// The `vnet` that runs on this machine.
    pub(super) own: &'a Path,
    pub(super) version: &'a str,
    /// The time of all files, in seconds.
    pub(super) epoch: &'a str,
}

impl Stage<'_> {
    /// Puts everything in its place, for programs of a target.
    pub(super) fn fill(&self, programs: &Path, target: &str) -> Result<(), Failed> {
        for (_, program, folder) in PROGRAMS {
            self.copy(&programs.join(program), &format!("usr/{folder}/{program}"))?;
        }
        run(path(self.own), &["man", "--out-dir", path(&self.folder.join("usr/share/man/man1"))])?;
        for page in ["vnetd.8", "vnet-cni.8"] {
            self.copy(&root().join("packaging").join(page), &format!("usr/share/man/man8/{page}"))?;
        }
        self.copy(&root().join("packaging/vnetd.policy"), "usr/share/polkit-1/actions/vnetd.policy")?;
        for (shell, file) in COMPLETIONS {
            self.write(file, &output(path(self.own), &["completions", shell])?)?;
        }
        let lib = self.folder.join("usr/lib");
        fs::create_dir_all(&lib).map_err(failed(&lib))?;
        run("cp", &["--recursive", "packaging/systemd", path(&lib)])?;
        for file in ["README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"] {
            self.copy(&root().join(file), &format!("{DOC}/{file}"))?;
        }
        self.copy(&root().join("packaging/hooks/network"), &format!("{DOC}/examples/network"))?;
        let dependencies = dependencies::of_programs(target)?;
        self.write(&format!("{DOC}/licences.txt"), &dependencies::licences(&dependencies)?)?;
        let made = output("date", &["--utc", "--date", &format!("@{}", self.epoch), "+%Y-%m-%dT%H:%M:%SZ"])?;
        self.write(BILL, &dependencies::bill(&dependencies, self.version, made.trim()))?;
        // A static program is what this package is. One that can be loaded anywhere has the second
        // tag.
        let tags = PROGRAMS.iter().flat_map(|(_, program, folder)| {
            ["statically-linked-binary", "shared-library-lacks-prerequisites"]
                .map(|tag| format!("vnet: {tag} [usr/{folder}/{program}]\n"))
        });
        self.write("usr/share/lintian/overrides/vnet", &tags.collect::<String>())?;
        let date = output("date", &["--utc", "--rfc-email", "--date", &format!("@{}", self.epoch)])?;
        let changes = format!(
            "vnet ({}-1) unstable; urgency=medium\n\n  * See CHANGELOG.md.\n\n -- vnet <vnet-rs@users.noreply.github.com>  {date}",
            self.version
        );
        self.write("changelog", &changes)?;
        // Modes are those of packages, whatever the umask.
        run("chmod", &["--recursive", "u=rwX,go=rX", path(&self.folder)])
    }

    /// Packs it as a tarball.
    pub(super) fn pack(&self, file: &Path) -> Result<(), Failed> {
        tarball(&self.folder, "usr", self.epoch, file)
    }

    /// Copies the list of the dependencies to a file beside the packages.
    pub(super) fn copy_bill(&self, file: &Path) -> Result<(), Failed> {
        fs::copy(self.folder.join(BILL), file).map(drop).map_err(failed(file))
    }

    fn copy(&self, from: &Path, to: &str) -> Result<(), Failed> {
        fs::copy(from, self.place(to)?).map(drop).map_err(failed(from))
    }

    fn write(&self, to: &str, text: &str) -> Result<(), Failed> {
        let file = self.place(to)?;
        fs::write(&file, text).map_err(failed(&file))
    }

    /// The path of a file, whose folder is made.
    fn place(&self, file: &str) -> Result<PathBuf, Failed> {
        let file = self.folder.join(file);
        let folder = file.parent().expect("a file is in a folder");
        fs::create_dir_all(folder).map_err(failed(folder))?;
        Ok(file)
    }
}

/// Packs what is below a folder: sorted, without owners, with one time.
fn tarball(folder: &Path, below: &str, epoch: &str, file: &Path) -> Result<(), Failed> {
    let pack = format!(
        "tar --create --sort=name --format=gnu --owner=0 --group=0 --numeric-owner --mtime=@{epoch} \
         --directory={} {below} | gzip --no-name --best > {}",
        path(folder),
        path(file),
    );
    run("sh", &["-c", &pack])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tarballs_of_equal_files_are_equal() {
        let folder = std::env::temp_dir().join(format!("xtask-{}", std::process::id()));
        let pack = |name: &str, modified: &str| {
            let stage = folder.join(name);
            fs::create_dir_all(stage.join("usr/b")).unwrap();
            for file in ["usr/b/one", "usr/a", "usr/c"] {
                fs::write(stage.join(file), file).unwrap();
                run("touch", &["--date", modified, path(&stage.join(file))]).unwrap();
            }
            let file = folder.join(format!("{name}.tar.gz"));
            tarball(&stage, "usr", "1700000000", &file).unwrap();
            fs::read(file).unwrap()
        };
        let (one, two) = (pack("one", "2001-01-01"), pack("two", "2020-02-02"));
        fs::remove_dir_all(&folder).unwrap();
        assert!(!one.is_empty() && one == two);
    }
}
