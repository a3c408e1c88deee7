//! The program `vnet` as people and scripts meet it: exit codes, the two streams, formats, hostile
//! input.

#![allow(clippy::unwrap_used, reason = "a test")]

mod check;
mod documents;
mod edit;
mod guides;
mod host;
mod hostile;
mod kept;
mod metadata;
mod named;
mod new;
mod readme;
mod remedies;
mod schemas;
mod user;
mod virsh;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rstest::rstest;
use serde_json::Value;

const DEFAULT: &str = "\
<network>
  <name>default</name>
  <forward mode='nat'/>
  <bridge name='virbr0'/>
  <ip address='192.168.122.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='192.168.122.2' end='192.168.122.254'/>
    </dhcp>
  </ip>
</network>
";

const TYPO: &str = "<network>\n  <name>a</name>\n  <brige name='virbr0'/>\n</network>\n";
const BAD_HOST: &str = "\
<network>
  <name>a</name>
  <ip address='10.0.0.1' prefix='24'>
    <dhcp>
      <range start='10.0.1.2' end='10.0.1.9'/>
    </dhcp>
  </ip>
</network>
";

#[rstest]
#[case::valid(&["check", "-"], DEFAULT, 0)]
#[case::warning(&["check", "-"], TYPO, 0)]
#[case::strict(&["check", "--strict", "-"], TYPO, 1)]
#[case::invalid(&["check", "-"], BAD_HOST, 1)]
#[case::not_xml(&["check", "-"], "hello", 1)]
#[case::empty(&["check", "-"], "", 1)]
#[case::other_root(&["check", "-"], "<banana/>", 1)]
#[case::missing_file(&["check", "/nonexistent.xml"], "", 2)]
#[case::no_file(&["check"], "", 2)]
#[case::unknown_command(&["chekc"], "", 2)]
#[case::not_formatted(&["fmt", "--check", "-"], "<network><name>a</name></network>", 1)]
#[case::invalid_for_fmt(&["fmt", "-"], "<network", 1)]
#[case::invalid_for_plan(&["plan", "-"], BAD_HOST, 1)]
#[case::invalid_for_render(&["render", "nft", "-"], BAD_HOST, 1)]
#[case::render(&["render", "dnsmasq", "-"], DEFAULT, 0)]
#[case::explain(&["explain"], "", 0)]
#[case::explain_unknown(&["explain", "VN9999"], "", 2)]
#[case::man(&["man"], "", 0)]
#[case::man_of_command(&["man", "check"], "", 0)]
#[case::completions(&["completions", "bash"], "", 0)]
#[case::version(&["--version"], "", 0)]
fn exit_codes(#[case] args: &[&str], #[case] stdin: &str, #[case] code: i32) {
    let output = vnet_with(args, stdin.as_bytes());
    assert_eq!(output.status.code(), Some(code), "{}", shown(&output));
    match code {
        0 => assert!(!output.stdout.is_empty(), "a result is on stdout"),
        2 => assert!(!output.stderr.is_empty() && output.stdout.is_empty(), "{}", shown(&output)),
        _ => {}
    }
}

#[test]
fn findings_are_on_stderr_and_the_summary_on_stdout() {
    let output = vnet_with(&["check", "-"], TYPO.as_bytes());
    insta::assert_snapshot!(text(&output.stdout), @"1 file checked, 0 errors, 1 warning");
    let stderr = text(&output.stderr);
    assert!(stderr.contains("--> <stdin>:3:"), "{stderr}");
    assert!(stderr.contains("<brige name='virbr0'/>"), "{stderr}");
    assert!(!stderr.contains('\x1b'), "no colours where nobody sees them: {stderr}");
}

/// With `--format json` stdout has one document, whatever fails: no such file, a refusal, a wrong
/// option. stderr has it for people.
#[rstest]
#[case::no_file(&["check", "/nonexistent.xml", "--format", "json"], 2, "`/nonexistent.xml` cannot be read")]
#[case::not_running(&["status", "--format=json", "nothing"], 1, "network `nothing` does not run")]
#[case::usage(&["list", "--format", "json", "--no-such"], 2, "unexpected argument '--no-such' found")]
#[case::no_command(&["chekc", "--format", "json"], 2, "unrecognized subcommand 'chekc'")]
#[case::explain(&["explain", "VN9999", "--format", "json"], 2, "there is no code `VN9999`")]
fn errors_are_json(#[case] args: &[&str], #[case] code: i32, #[case] message: &str) {
    let folder = scratch("errors");
    let output = run(Command::new(vnet()).args(args).env("VNET_STATE_DIR", folder.join("state")), b"");
    assert!(output.status.code() == Some(code) && text(&output.stderr).contains(message), "{}", shown(&output));
    let document = json(&output);
    assert_eq!(document["version"], 1);
    let error = &document["failures"][0];
    assert!(error["message"].as_str().unwrap().starts_with(message), "{error}");
    assert!(error["causes"].is_array(), "{error}");
    fs::remove_dir_all(folder).unwrap();
}

/// What could be read is there beside the error.
#[test]
fn an_error_does_not_hide_the_rest() {
    let output = vnet_with(&["check", "--format", "json", "-", "/nonexistent.xml"], TYPO.as_bytes());
    let document = json(&output);
    assert_eq!((output.status.code(), document["warnings"].as_u64()), (Some(2), Some(1)), "{document}");
    assert_eq!(document["errors"], 0);
    assert_eq!(document["failures"].as_array().map(Vec::len), Some(1), "{document}");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child = Command::new(vnet())
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("vnet runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("vnet ends");
    assert!(output.status.success() && output.stderr.is_empty(), "{}", shown(&output));
}

fn vnet_with(args: &[&str], stdin: &[u8]) -> Output {
    run(Command::new(vnet()).args(args), stdin)
}

fn run(command: &mut Command, stdin: &[u8]) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program runs");
    let mut pipe = child.stdin.take().expect("a pipe");
    std::thread::scope(|scope| {
        // A program that has read enough closes its end: what cannot be written then does not
        // matter.
        scope.spawn(move || drop(pipe.write_all(stdin)));
        child.wait_with_output().expect("the program ends")
    })
}

/// A folder that no other test has. Whoever needs it removes it.
fn scratch(name: &str) -> PathBuf {
    tempfile::Builder::new().prefix(&format!("vnet-cli-{name}-")).tempdir().unwrap().keep()
}

fn vnet() -> PathBuf {
    vnet_tests::vnet()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace")
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", shown(output)))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

fn shown(output: &Output) -> String {
    format!("{}\n{}{}", output.status, String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
