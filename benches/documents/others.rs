//! libvirt and libxml2, in a process of their own.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The program that calls them.
const SOURCE: &str = include_str!("others.c");
const PROGRAM: &str = "target/documents/others";

pub(crate) struct Others {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// Of libvirt and of libxml2.
    pub(crate) releases: [String; 2],
}

impl Others {
    pub(crate) fn start() -> Self {
        let mut cc = Command::new("cc");
        cc.args(["-O2", "-x", "c", "-", "-ldl", "-o", PROGRAM]).stdin(Stdio::piped());
        let mut compiler = cc.spawn().unwrap();
        compiler.stdin.take().unwrap().write_all(SOURCE.as_bytes()).unwrap();
        assert!(compiler.wait().unwrap().success(), "others.c was not compiled");
        let mut process = Command::new(PROGRAM).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (process.stdin.take(), BufReader::new(process.stdout.take().unwrap()));
        let mut others = Self { process, input, output, releases: Default::default() };
        others.releases = others.answer();
        others
    }

    /// The shortest time in microseconds of what one of them does with a document.
    pub(crate) fn shortest(&mut self, what: &str, times: usize, path: &str) -> f64 {
        writeln!(self.input.as_mut().unwrap(), "{what} {times} {path}").unwrap();
        let [nanoseconds, printed] = self.answer();
        // What libvirt prints has more in it than what it read.
        let length = std::fs::metadata(path).unwrap().len();
        assert!(what != "libvirt" || printed.parse::<u64>().unwrap() > length, "libvirt printed {printed} bytes");
        nanoseconds.parse::<f64>().unwrap() / 1000.0
    }

    fn answer(&mut self) -> [String; 2] {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let (one, other) = line.trim().split_once(' ').expect("two words of others.c");
        [one.to_owned(), other.to_owned()]
    }
}

impl Drop for Others {
    fn drop(&mut self) {
        // It ends with its input.
        drop(self.input.take());
        self.process.wait().unwrap();
    }
}
