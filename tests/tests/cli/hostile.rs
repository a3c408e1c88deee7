//! Input that is meant to do harm, or that is no document.

use std::fs;
use std::process::Command;

use rstest::rstest;

use crate::{run, scratch, shown, text, vnet, vnet_with};

/// Control characters of ISO 6429 and marks of direction in a document do not steer the reader's
/// terminal.
#[rstest]
#[case::human(&["check", "-"])]
#[case::json(&["check", "--format", "json", "-"])]
#[case::sarif(&["check", "--format", "sarif", "-"])]
fn what_steers_a_terminal_is_shown(#[case] args: &[&str]) {
    let marks = "\u{80}\u{9b}31m\u{61c}\u{200f}\u{202e}\u{2066}";
    let document =
        format!("<network><name>a{marks}</name>\n<!-- {marks} --><bridge zone='{marks}' stp='{marks}'/></network>");
    let output = vnet_with(args, document.as_bytes());
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(text.contains("VN0027") && text.contains("9b"), "{text}");
    let raw: Vec<char> = marks.chars().filter(|c| !c.is_ascii() && text.contains(*c)).collect();
    assert_eq!(raw, [], "{text}");
}

/// Each is refused with a line and a column, in 64 MiB of memory and little time.
#[rstest]
#[case::doctype("<!DOCTYPE network [<!ENTITY a 'b'>]><network><name>a</name></network>")]
#[case::entity("<network><name>&lol;</name></network>")]
#[case::nul("<network><name>a\0b</name></network>")]
#[case::not_utf8(b"<network><name>a\xff\xfeb</name></network>")]
#[case::deep("<network>".repeat(200_000))]
#[case::deep_and_closed(format!("{}{}", "<a>".repeat(200_000), "</a>".repeat(200_000)))]
#[case::attributes(format!("<network {}/>", (0..100_000).map(|n| format!("a{n}='' ")).collect::<String>()))]
#[case::elements(format!("<network>{}</network>", "<ip/>".repeat(1_000_000)))]
#[case::slash("<network><name>a/b</name></network>")]
#[case::newline("<network><name>a\nb</name></network>")]
#[case::template("<network><name>a</name><bridge name='%d'/></network>")]
#[case::sixteen("<network><name>a</name><bridge name='sixteen-bytes-xx'/></network>")]
#[case::large(vec![b' '; 100 << 20])]
#[case::large_name(format!("<network><name>{}", "n".repeat(100 << 20)))]
fn hostile_input_is_refused(#[case] document: impl AsRef<[u8]>) {
    let output = run(&mut limited(&["check", "-"]), document.as_ref());
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    assert!(stderr.contains("error[VN") && stderr.contains("--> <stdin>:"), "{stderr}");
    assert!(stderr.len() < 1 << 20, "what is shown stays short: {} bytes", stderr.len());
    let start = run(&mut limited(&["start", "--state-dir", "/nonexistent", "-"]), document.as_ref());
    assert_eq!(start.status.code(), Some(1), "{}", shown(&start));
}

#[test]
fn a_large_file_is_refused_unread() {
    let folder = scratch("large");
    let file = folder.join("large.xml");
    fs::File::create(&file).unwrap().set_len(100 << 20).unwrap();
    let output = run(&mut limited(&["check", file.to_str().unwrap()]), b"");
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_is_no_file_is_said_so() {
    let output = vnet_with(&["fmt", "/proc"], b"");
    assert_eq!(output.status.code(), Some(2), "{}", shown(&output));
    assert!(text(&output.stderr).contains("/proc"), "{}", shown(&output));
    let output = run(&mut limited(&["check", "/dev/zero"]), b"");
    assert_eq!(output.status.code(), Some(1), "an endless file is read to the limit: {}", shown(&output));
}

/// A call that may have 64 MiB of memory and 10 seconds of a processor: an unoptimised build is 20
/// times slower.
fn limited(args: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", r#"ulimit -d 65536 && ulimit -t 10 && exec "$0" "$@""#]).arg(vnet()).args(args);
    command
}
