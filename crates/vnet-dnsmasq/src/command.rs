//! The command line of dnsmasq.

use std::path::Path;

use crate::line::path_text;
use crate::{Error, Field};

/// The arguments that make dnsmasq read this configuration and no other. dnsmasq goes to the
/// background when it is ready.
///
/// In a user namespace with a single user dnsmasq cannot change to another one; with `single_user`
/// it does not try.
///
/// # Errors
/// [`Error::Path`] or [`Error::Character`] for a path that dnsmasq cannot read unchanged.
pub fn command_line(conf: &Path, single_user: bool) -> Result<Vec<String>, Error> {
    let conf = path_text(conf)?;
    if let Some(character) = conf.chars().find(|c| c.is_control()) {
        return Err(Error::Character { field: Field::Path, value: conf.to_owned(), character });
    }
    let mut arguments = vec![format!("--conf-file={conf}")];
    if single_user {
        arguments.extend(["--user=".to_owned(), "--group=".to_owned()]);
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments() {
        let conf = Path::new("/run/vnet/a b.conf");
        assert_eq!(command_line(conf, false), Ok(vec!["--conf-file=/run/vnet/a b.conf".to_owned()]));
        assert_eq!(
            command_line(conf, true).map(|arguments| arguments[1..].join(" ")),
            Ok("--user= --group=".to_owned())
        );
        assert!(command_line(Path::new("/run/\u{1}.conf"), false).is_err());
    }
}
