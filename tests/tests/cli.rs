//! The program `vnet` as people and scripts meet it: exit codes, the two streams, formats, hostile input.

#![allow(clippy::unwrap_used, reason = "a test")]

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

/// Control characters of ISO 6429 and marks of direction in a document do not steer the reader's terminal.
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

#[test]
fn findings_of_every_example_are_as_recorded() {
    let mut wrong = Vec::new();
    for folder in [
        "network/valid",
        "network/near-miss",
        "network/invalid",
        "network-port/valid",
        "network-port/invalid",
        "interface/valid",
        "interface/invalid",
    ] {
        let folder = root().join("testdata").join(folder);
        let is_invalid = folder.ends_with("invalid");
        for file in documents(&folder) {
            let name = file.file_name().expect("a file").to_string_lossy().into_owned();
            let output = run(Command::new(vnet()).args(["check", &name]).current_dir(&folder), b"");
            let (code, found) = (output.status.code(), text(&output.stderr));
            if code != Some(i32::from(is_invalid)) {
                wrong.push(format!("{name}: exit code {code:?}\n{found}"));
            } else if let Err(difference) = recorded(&file.with_extension("diag"), &found) {
                wrong.push(format!("{name}: {difference}"));
            }
        }
    }
    assert!(wrong.is_empty(), "VNET_BLESS=1 records what is found\n\n{}", wrong.join("\n"));
}

#[test]
fn every_code_is_explained() {
    let list = json(&vnet_with(&["explain", "--format", "json"], b""));
    let codes: Vec<&str> = list.as_array().expect("a list").iter().filter_map(|rule| rule["code"].as_str()).collect();
    assert!(codes.len() > 20 && codes.is_sorted(), "{codes:?}");
    for code in codes {
        let output = vnet_with(&["explain", code], b"");
        assert!(output.status.success() && text(&output.stdout).starts_with(code), "{}", shown(&output));
    }
}

#[test]
fn json_has_places() {
    let report = json(&vnet_with(&["check", "--format", "json", "-"], BAD_HOST.as_bytes()));
    assert!(report["errors"].as_u64() > Some(0), "{report}");
    assert_eq!(report["files"][0]["network"], "a");
    let found = &report["files"][0]["diagnostics"][0];
    assert_eq!(found["severity"], "error");
    assert_eq!(found["start"]["line"], 5);
    let [from, to] = [0, 1].map(|end| usize::try_from(found["bytes"][end].as_u64().unwrap()).unwrap());
    assert!(BAD_HOST[from..to].starts_with("10.0.1."), "{found}");
}

#[test]
fn sarif_has_rules_and_results() {
    let log = json(&vnet_with(&["check", "--format", "sarif", "-"], BAD_HOST.as_bytes()));
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let result = &run["results"][0];
    let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
    assert_eq!(run["tool"]["driver"]["rules"][index]["id"], result["ruleId"]);
    assert_eq!(result["level"], "error");
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["region"]["startLine"], 5);
    assert_eq!(place["artifactLocation"]["uri"], "%3Cstdin%3E");
}

/// The schema is that of OASIS, as published.
#[test]
fn sarif_is_as_its_schema_says() {
    let schema = fs::read_to_string(root().join("testdata/sarif-2.1.0.schema.json")).expect("the schema");
    let mut schema: Value = serde_json::from_str(&schema).expect("JSON");
    // The pattern of a language has brackets that do not match. No log here says its language.
    for definition in ["run", "toolComponent"] {
        let language = &mut schema["definitions"][definition]["properties"]["language"];
        language.as_object_mut().expect("a schema").remove("pattern");
    }
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    let folders = ["network/invalid", "interface/invalid", "network-port/invalid", "network/valid"];
    let folders = folders.map(|folder| root().join("testdata").join(folder).display().to_string());
    let arguments = ["check", "--format", "sarif"].into_iter().chain(folders.iter().map(String::as_str));
    let log = json(&vnet_with(&arguments.collect::<Vec<_>>(), b""));
    let results = log["runs"][0]["results"].as_array().expect("results");
    assert!(results.len() > 200 && results.iter().any(|result| !result["relatedLocations"].is_null()));
    let errors: Vec<_> = schema.iter_errors(&log).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");

    let mut other = log;
    other["runs"][0]["results"][0]["level"] = "fatal".into();
    assert!(!schema.is_valid(&other), "the schema refuses what is not SARIF");
}

#[test]
fn fmt_prints_what_fmt_accepts() {
    let printed = vnet_with(&["fmt", "-"], DEFAULT.as_bytes());
    let again = vnet_with(&["fmt", "--check", "-"], &printed.stdout);
    assert!(again.status.success() && again.stdout.is_empty(), "{}", shown(&again));
}

#[test]
fn fmt_recognises_what_it_is_given_and_prints_both_forms() {
    let live = "<network connections='2'>\n  <name>n</name>\n  <forward mode='hostdev' managed='no'>\n    \
        <pf dev='eth0'/>\n    <address type='pci' domain='0x0000' bus='0x03' slot='0x00' function='0x1'/>\n  \
        </forward>\n</network>\n";
    assert_eq!(text(&vnet_with(&["fmt", "-"], live.as_bytes()).stdout), live);
    let inactive = text(&vnet_with(&["fmt", "--inactive", "-"], live.as_bytes()).stdout);
    assert_eq!(
        inactive,
        "<network>\n  <name>n</name>\n  <forward mode='hostdev' managed='no'>\n    <pf dev='eth0'/>\n  \
         </forward>\n</network>\n"
    );
    let port = vnet_with(&["fmt", "-"], b"<networkport><mac address='52:54:00:00:00:01'/></networkport>");
    assert!(text(&port.stderr).contains("`<networkport>` lacks `<uuid>`"), "{}", shown(&port));
    // What libvirt's parser refuses is refused; what it refuses later is printed.
    let open = b"<network><name>n</name><forward mode='open' dev='eth0'/></network>";
    assert_eq!(vnet_with(&["fmt", "-"], open).status.code(), Some(1));
}

#[test]
fn update_prints_the_network_or_says_where_it_is_refused() {
    let folder = scratch("update");
    let element = folder.join("element.xml");
    let update = |xml: &str, args: &[&str]| {
        fs::write(&element, xml).unwrap();
        let args = [&["update", "-", "--xml", element.to_str().unwrap()], args].concat();
        vnet_with(&args, DEFAULT.as_bytes())
    };
    let added = update("<host name='a' ip='192.168.122.9'/>", &["--section", "ip-dhcp-host", "--command", "add"]);
    assert!(text(&added.stdout).contains("      <host name='a' ip='192.168.122.9'/>\n"), "{}", shown(&added));
    let cases = [
        ("<host name='a' ip='192.168.123.9'/>", "ip-dhcp-host", "add-last", "VN0238", "192.168.123.9"),
        (
            "<range start='192.168.122.2' end='192.168.122.254'/>",
            "ip-dhcp-range",
            "add-last",
            "VN0040",
            "192.168.122.2",
        ),
        ("<range start='192.168.122.9' end='192.168.122.7'/>", "ip-dhcp-range", "add-last", "VN0224", "192.168.122.9"),
        ("<mtu size='9'/>", "mtu", "add-first", "VN0106", "9"),
        ("<mtu sise='9000'/>", "mtu", "delete", "VN0040", "<mtu sise='9000'/>"),
    ];
    for (xml, section, command, code, at) in cases {
        let refused = update(xml, &["--section", section, "--command", command, "--format", "json"]);
        assert_eq!(refused.status.code(), Some(1), "{xml}: {}", shown(&refused));
        let found = json(&refused);
        let errors = found["diagnostics"].as_array().unwrap().iter().filter(|it| it["severity"] == "error");
        let error = errors.into_iter().next().expect("an error");
        let bytes = |end: usize| usize::try_from(error["bytes"][end].as_u64().unwrap()).unwrap();
        assert_eq!((&error["code"], &xml[bytes(0)..bytes(1)]), (&code.into(), at), "{error}");
        assert!(found["xml"].is_null());
    }
    let both = vnet_with(&["update", "-", "--section", "mtu", "--command", "add", "--xml", "-"], b"");
    assert_eq!(both.status.code(), Some(2), "{}", shown(&both));
    fs::remove_dir_all(folder).unwrap();
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

#[test]
fn a_folder_is_all_its_definitions() {
    let folder = scratch("folder");
    fs::write(folder.join("a.xml"), DEFAULT).unwrap();
    fs::write(folder.join("b.xml"), BAD_HOST).unwrap();
    fs::write(folder.join("notes.txt"), "not XML").unwrap();
    let report = json(&vnet_with(&["check", "--format", "json", folder.to_str().unwrap()], b""));
    let networks: Vec<&Value> = report["files"].as_array().unwrap().iter().map(|file| &file["network"]).collect();
    assert_eq!(networks, ["default", "a"]);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_network_lives_and_is_gone() {
    vnet_tests::isolate!();
    let folder = scratch("life");
    let file = folder.join("default.xml");
    fs::write(&file, DEFAULT).unwrap();
    let file = file.to_str().unwrap();
    let says = |args: &[&str], code: i32, word: &str| {
        let output = vnet_with(args, b"");
        let said = if code == 0 || args[0] == "diff" { &output.stdout } else { &output.stderr };
        assert!(output.status.code() == Some(code) && text(said).contains(word), "{args:?}: {}", shown(&output));
        output
    };
    says(&["list"], 0, "Name");
    says(&["status"], 0, "no network runs");
    says(&["plan", file], 0, "+ ip link add virbr0 type bridge");
    says(&["start", file], 0, "network default started on virbr0");
    says(&["start", file], 1, "runs already");
    says(&["plan", file], 0, "nothing to change");
    says(&["list"], 0, "in sync");
    says(&["status", "default"], 0, "192.168.122.1/24");
    says(&["net-dumpxml", "default"], 0, "<bridge name='virbr0' stp='on' delay='0'/>");
    says(&["leases", "default"], 0, "Expiry Time");
    says(&["diff", "default"], 0, "in sync");

    vnet_tests::run("ip", &["address", "del", "192.168.122.1/24", "dev", "virbr0"]);
    says(&["diff", "default"], 1, "+ ip address add 192.168.122.1/24");
    says(&["status", "default"], 0, "default: drifted");
    let drift = json(&vnet_with(&["diff", "--format", "json", "default"], b""));
    assert_eq!(drift["changes"][0]["change"], "create", "{drift}");
    says(&["apply", "--dry-run", file], 0, "+ ip address add 192.168.122.1/24");
    says(&["apply", file], 0, "network default is as defined");
    says(&["diff", "default"], 0, "in sync");

    says(&["stop", "default"], 0, "network default stopped");
    says(&["stop", "default"], 1, "does not run");
    says(&["diff", "default"], 1, "");
    assert_eq!(vnet_tests::json("ip", &["-j", "link"]).as_array().map(Vec::len), Some(1));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_kept_definition_starts_by_name() {
    vnet_tests::isolate!();
    let folder = scratch("kept");
    fs::create_dir(folder.join("networks")).unwrap();
    let named = |uuid: &str| DEFAULT.replace("</name>", &format!("</name>\n  <uuid>{uuid}</uuid>"));
    fs::write(folder.join("networks/default.xml"), named("3a1f8a2c-0000-4000-8000-000000000001")).unwrap();
    let config = folder.to_str().unwrap();
    let state = folder.join("state");
    let state = state.to_str().unwrap();
    let call = |args: &[&str]| vnet_with(&[args, &["--config-dir", config, "--state-dir", state]].concat(), b"");
    let output = call(&["net-start", "default"]);
    assert!(output.status.success(), "{}", shown(&output));
    assert_eq!(call(&["start", "other"]).status.code(), Some(2), "no such definition");
    fs::write(folder.join("networks/default.xml"), named("3a1f8a2c-0000-4000-8000-000000000002")).unwrap();
    let output = call(&["apply", "default"]);
    assert!(text(&output.stderr).contains("VN0607"), "another network of this name: {}", shown(&output));
    assert!(call(&["net-destroy", "default"]).status.success());
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_host_that_hears_routers_is_not_made_deaf() {
    vnet_tests::isolate!();
    vnet_tests::run("ip", &["link", "add", "uplink", "up", "type", "veth", "peer", "name", "router"]);
    vnet_tests::run("ip", &["-6", "route", "add", "default", "dev", "uplink", "proto", "ra"]);
    let network = DEFAULT.replace("  <ip ", "  <ip family='ipv6' address='fd00:9::1' prefix='64'/>\n  <ip ");
    let check = |accept_ra: &str| {
        fs::write("/proc/sys/net/ipv6/conf/uplink/accept_ra", accept_ra).unwrap();
        vnet_with(&["check", "--against-host", "-"], network.as_bytes())
    };
    let output = check("1");
    assert!(output.status.code() == Some(1) && text(&output.stderr).contains("VN0617"), "{}", shown(&output));
    for fine in ["0", "2"] {
        let output = check(fine);
        assert!(output.status.success(), "{fine}: {}", shown(&output));
    }
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

/// A call that may have 64 MiB of memory and 10 seconds of a processor: an unoptimised build is 20 times slower.
fn limited(args: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", r#"ulimit -d 65536 && ulimit -t 10 && exec "$0" "$@""#]).arg(vnet()).args(args);
    command
}

/// Compares with what is recorded; an example without findings has no record.
fn recorded(file: &Path, found: &str) -> Result<(), String> {
    if std::env::var_os("VNET_BLESS").is_some() {
        let done = if found.is_empty() { fs::remove_file(file).or(Ok(())) } else { fs::write(file, found) };
        return done.map_err(|error| error.to_string());
    }
    let expected = fs::read_to_string(file).unwrap_or_default();
    if expected == found { Ok(()) } else { Err(format!("expected\n{expected}\nfound\n{found}")) }
}

fn documents(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_document = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "xml");
    let mut documents: Vec<_> =
        entries.filter(|path| is_document(path) && !path.to_string_lossy().contains(".canonical.")).collect();
    documents.sort();
    documents
}

fn vnet_with(args: &[&str], stdin: &[u8]) -> Output {
    run(Command::new(vnet()).args(args), stdin)
}

fn run(command: &mut Command, stdin: &[u8]) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program runs");
    let mut pipe = child.stdin.take().expect("a pipe");
    std::thread::scope(|scope| {
        // A program that has read enough closes its end: what cannot be written then does not matter.
        scope.spawn(move || drop(pipe.write_all(stdin)));
        child.wait_with_output().expect("the program ends")
    })
}

fn scratch(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("vnet-cli-{name}-{}", std::process::id()));
    // A process number is used again, and inside a namespace it is always the same.
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).unwrap();
    folder
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
