//! What to do when passt does not run.

use super::{Error, Problem};

impl Error {
    /// What to do about it. `None` where the message says so itself.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::NotInstalled { .. } => return None,
            Self::Arguments(error) => error.help(),
            Self::Unsupported { option, since, .. } => format!("install passt {since} or newer, or leave {option} out"),
            Self::NoPidFile => "set `Passt::pid_file`".to_owned(),
            Self::NotAbsolute(_) => "give the path from `/` on".to_owned(),
            Self::NotPrivate { folder, .. } => {
                format!("choose a folder that only this user can write to: `chmod 700 {}`", folder.display())
            }
            Self::NotAFile { .. } => "remove it, or choose another path".to_owned(),
            Self::InUse { .. } => "end that program, or choose another path".to_owned(),
            Self::Host(problems) => return problems.iter().find_map(Problem::help),
            Self::Refused { .. } => "change what it complains about, or try a newer passt".to_owned(),
            Self::Slow | Self::NotReady { .. } => {
                "try again; where it happens again, run passt with `--foreground --debug` to see what it waits for"
                    .to_owned()
            }
            Self::Immortal { pid } => format!("see in /proc/{pid}/wchan what it waits for; a reboot ends it"),
            Self::File { .. } => "see that it exists, and that this user may use it".to_owned(),
        })
    }
}

impl Problem {
    /// What to do about it. `None` where the message says so itself.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::PortPrivileged { .. } => return None,
            Self::PortTaken { .. } => "forward another port, or end the program that has this one".to_owned(),
            Self::AddressElsewhere(_) => "forward ports of an address that `ip address` shows, or of all".to_owned(),
            Self::NoDevice(_) => "name a device that `ip link` shows, or none".to_owned(),
        })
    }
}
