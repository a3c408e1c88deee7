//! ovn-controller of this host, asked by its control socket (ovn-appctl(8)).

use std::env;
use std::fs;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Deserializer, Value, json};

/// The folder of OVN's sockets, unless `$OVN_RUNDIR` says otherwise, as for its own programs.
const FOLDER: &str = "/var/run/ovn";
/// How long it may take for an answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The state of ovn-controller, as far as it can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Controller {
    /// It follows the southbound database.
    Follows,
    /// It runs, but follows no database, or does not answer.
    Alone,
    /// It has ended, and left its socket.
    Ended,
    /// Its socket is not there: it may run where it cannot be seen from here.
    Unseen,
}

impl Controller {
    /// Asks it.
    pub(super) fn ask() -> Self {
        let folder = env::var_os("OVN_RUNDIR").map(PathBuf::from).filter(|folder| folder.is_absolute());
        Self::ask_in(&folder.unwrap_or_else(|| FOLDER.into()))
    }

    fn ask_in(folder: &Path) -> Self {
        let is_its = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("ovn-controller.") && name.ends_with(".ctl")
        };
        let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let sockets: Vec<PathBuf> = files.filter(is_its).collect();
        let answers = sockets.iter().filter_map(|socket| UnixStream::connect(socket).ok());
        // A socket of one that was killed stays beside that of the next one.
        match answers.map(|stream| is_connected(stream).unwrap_or(false)).max() {
            Some(true) => Self::Follows,
            Some(false) => Self::Alone,
            None if sockets.is_empty() => Self::Unseen,
            None => Self::Ended,
        }
    }
}

/// Whether the ovn-controller behind a socket is connected to the southbound database.
fn is_connected(mut stream: UnixStream) -> io::Result<bool> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let question = json!({ "id": 0, "method": "connection-status", "params": [] });
    stream.write_all(question.to_string().as_bytes())?;
    let answer = Deserializer::from_reader(stream).into_iter::<Value>().next();
    let answer = answer.ok_or(io::ErrorKind::UnexpectedEof)??;
    Ok(answer["result"].as_str().map(str::trim) == Some("connected"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use std::io::Read;
    use std::os::unix::net::UnixListener;
    use std::thread;

    use super::*;

    #[test]
    fn it_says_whether_it_is_connected() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Controller::ask_in(folder.path()), Controller::Unseen);
        let socket = folder.path().join("ovn-controller.7.ctl");
        for (said, expected) in [("connected\n", Controller::Follows), ("not connected\n", Controller::Alone)] {
            let listener = UnixListener::bind(&socket).unwrap();
            thread::scope(|scope| {
                scope.spawn(|| {
                    let (mut client, _) = listener.accept().unwrap();
                    assert!(client.read(&mut [0; 256]).unwrap() > 0);
                    let answer = json!({ "id": 0, "result": said, "error": null });
                    client.write_all(answer.to_string().as_bytes()).unwrap();
                });
                assert_eq!(Controller::ask_in(folder.path()), expected);
            });
            drop(listener);
            assert_eq!(Controller::ask_in(folder.path()), Controller::Ended);
            fs::remove_file(&socket).unwrap();
        }
    }
}
