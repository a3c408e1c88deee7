//! Root's networks, for somebody who may not read the state of them: each command says so. None
//! shows an empty table.

use std::path::Path;
use std::process::{Command, Output};

use nix::unistd::geteuid;

use crate::{shown, text, vnet};

const LAB: &str = "<network><name>lab</name><forward/><bridge name='lab0'/><ip address='10.9.0.1' prefix='24'>
    <dhcp><range start='10.9.0.2' end='10.9.0.9'/></dhcp></ip></network>";
/// Makes a network and a port as root, then runs commands as somebody else.
const WORLD: &str = r#"
cat >/tmp/lab.xml <<.
<network><name>lab</name><bridge name='lab0'/><ip address='10.9.0.1' prefix='24'>
<dhcp><range start='10.9.0.2' end='10.9.0.9'/></dhcp></ip></network>
.
cat >/tmp/port.xml <<.
<interface type='network'><source network='lab'/><target dev='tap7'/></interface>
.
chmod a+r /tmp/lab.xml
$vnet define /tmp/lab.xml
$vnet start lab
$vnet attach /tmp/port.xml
$close
for words; do
    code=0
    $somebody $vnet $words >/tmp/out 2>/tmp/err || code=$?
    printf '%s|%s|' "$words" $code
    tr -d '|' </tmp/out
    printf '|'
    tr -d '|' </tmp/err
    printf '|'
done
code=0
XDG_RUNTIME_DIR=/tmp/none $somebody env -u VNET_STATE_DIR $vnet list >/tmp/out 2>/tmp/err || code=$?
printf 'own|%s||' $code
tr -d '|' </tmp/err
printf '|'
chmod -R u+rX /run/vnet $VNET_CONFIG_DIR
$vnet detach tap7 >&2
$vnet stop lab >&2
"#;
const READS: [&str; 20] = [
    "list",
    "list --all",
    "net-list --name",
    "list --all --uuid",
    "status",
    "status --all",
    "status lab",
    "leases",
    "leases lab",
    "dumpxml lab",
    "dumpxml --inactive lab",
    "plan lab",
    "plan /tmp/lab.xml",
    "info lab",
    "desc lab",
    "diff lab",
    "diff --all",
    "check --all",
    "ports",
    "passt list",
];

/// Each command fails and says why, on stderr alone. Returns what a list of the user's own networks
/// says on stderr.
fn are_told(world: Output) -> String {
    assert!(world.status.success(), "{}", shown(&world));
    let said = text(&world.stdout);
    let said = said.split_once("list|").map(|(_, rest)| format!("list|{rest}")).unwrap();
    let said: Vec<&str> = said.split('|').collect();
    let mut calls: Vec<&[&str]> = said.chunks_exact(4).collect();
    let own = calls.pop().unwrap();
    assert_eq!(calls.iter().map(|call| call[0]).collect::<Vec<_>>(), READS, "{said:?}");
    for call in calls {
        let [words, code, stdout, stderr] = call else { unreachable!() };
        assert_eq!((*code, *stdout), ("2", ""), "{words}: {stderr}");
        assert_eq!(stderr.matches("Permission denied").count(), stderr.matches("error: ").count(), "{words}: {stderr}");
        assert!(stderr.contains("Permission denied") && stderr.contains("help: "), "{words}: {stderr}");
    }
    own[3].to_owned()
}

fn world(command: &mut Command, vnet: &Path, somebody: &str, close: &str) -> Output {
    let config = "/tmp/config";
    command.args(["sh", "-euc"]).arg(format!("vnet={} somebody='{somebody}' close='{close}'\n{WORLD}", vnet.display()));
    command.arg("sh").args(READS).env("VNET_CONFIG_DIR", config).env("VNET_STATE_DIR", "/run/vnet").output().unwrap()
}

/// The files are closed to a process without capabilities. This is what an ordinary user's test can
/// do: in its namespace there is no second user.
#[test]
fn a_process_that_may_not_read_is_told() {
    vnet_tests::isolate!();
    let close = "find /run/vnet /tmp/config -type f -exec chmod 0 {} +";
    are_told(world(&mut Command::new("env"), &vnet(), "setpriv --bounding-set=-all --inh-caps=-all", close));
}

/// The files can be read, the rules cannot: root without CAP_NET_ADMIN, as in many containers. What
/// can be read is shown, and the rest is named.
#[test]
fn a_process_that_may_read_files_alone_sees_what_is_in_them() {
    vnet_tests::isolate!();
    std::fs::write("/tmp/lab.xml", LAB).unwrap();
    let call = |words: &str| {
        let words: Vec<&str> = words.split(' ').collect();
        let seen = Command::new("setpriv")
            .args(["--bounding-set=-net_admin", "--inh-caps=-net_admin"])
            .arg(vnet())
            .args(&words)
            .output()
            .unwrap();
        (seen.status.code(), text(&seen.stdout), text(&seen.stderr))
    };
    let root = |words: &[&str]| {
        let made = Command::new(vnet()).args(words).output().unwrap();
        assert!(made.status.success(), "{}", shown(&made));
    };
    let (code, planned, told) = call("plan /tmp/lab.xml");
    assert_eq!(code, Some(0), "{told}");
    assert!(
        planned.contains("+ ip link add lab0") && told.contains("the rules of nf_tables could not be read"),
        "{told}"
    );

    root(&["start", "/tmp/lab.xml"]);
    std::fs::write(
        "/tmp/port.xml",
        "<interface type='network'><source network='lab'/><target dev='tap7'/></interface>",
    )
    .unwrap();
    root(&["attach", "/tmp/port.xml"]);
    for (words, seen) in [
        ("list", "unsure"),
        ("list --name", "lab\n"),
        ("list --all --format json", "\"unread\": [\n        \"rules\"\n      ]"),
        ("info lab", "unsure"),
        ("status", "lab: unsure"),
        ("status lab --format json", "\"state\": \"unsure\""),
        ("leases", "Source"),
        ("ports", "tap7"),
        ("dumpxml lab", "<name>lab</name>"),
        ("plan /tmp/lab.xml", "nothing to change"),
    ] {
        let (code, out, err) = call(words);
        assert_eq!(code, Some(0), "{words}: {err}");
        assert!(out.contains(seen), "{words}: {out}");
        let is_shown = !["list --name", "leases", "ports", "dumpxml lab"].contains(&words);
        assert_eq!((out + &err).contains("CAP_NET_ADMIN"), is_shown && !words.contains("json"), "{words}: {err}");
    }
    for words in ["list --exit-code", "status --exit-code"] {
        assert_eq!(call(words).0, Some(1), "{words}");
    }
    // A difference that was not looked for is not reported as none.
    assert_eq!(call("diff lab").0, Some(2));
    // What differs and can be read is told.
    vnet_tests::run("ip", &["address", "flush", "dev", "lab0"]);
    assert!(call("status lab").1.starts_with("lab: drifted\n"));
    root(&["apply", "/tmp/lab.xml"]);
    root(&["detach", "tap7"]);
    root(&["stop", "lab"]);
}

/// One receipt that is damaged: the others are shown, and the exit code tells that not all are.
#[test]
fn a_list_with_one_damaged_receipt_is_shown_and_fails() {
    vnet_tests::isolate!();
    for (name, number) in [("lab", 9), ("other", 8)] {
        let text = LAB.replace("lab", name).replace("10.9.", &format!("10.{number}."));
        std::fs::write(format!("/tmp/{name}.xml"), text).unwrap();
        let started = Command::new(vnet()).args(["start", &format!("/tmp/{name}.xml")]).output().unwrap();
        assert!(started.status.success(), "{}", shown(&started));
    }
    let receipt = "/run/vnet/other/receipt";
    let sound = std::fs::read(receipt).unwrap();
    std::fs::write(receipt, "{").unwrap();
    for words in ["list", "status", "leases", "list --format json", "status --format json"] {
        let seen = Command::new(vnet()).args(words.split(' ')).output().unwrap();
        assert_eq!(seen.status.code(), Some(2), "{words}: {}", shown(&seen));
        assert!(words == "leases" || text(&seen.stdout).contains("lab0"), "{words}: {}", shown(&seen));
        assert!(text(&seen.stderr).contains("network `other`"), "{words}: {}", shown(&seen));
        if words.ends_with("json") {
            let document: serde_json::Value = serde_json::from_slice(&seen.stdout).unwrap();
            assert_eq!(document["failures"].as_array().map(Vec::len), Some(1), "{document}");
        }
    }
    let stopped = Command::new(vnet()).args(["stop", "--all"]).output().unwrap();
    assert_eq!(stopped.status.code(), Some(2), "{}", shown(&stopped));
    std::fs::write(receipt, sound).unwrap();
    let stopped = Command::new(vnet()).args(["stop", "--all"]).output().unwrap();
    assert_eq!((stopped.status.code(), text(&stopped.stdout).trim()), (Some(0), "network other stopped"));
}

/// The user nobody looks at what root runs, in namespaces without a map of users. Only root can
/// become another user, so there is nothing to do for others.
#[test]
fn another_user_is_told() {
    if !geteuid().is_root() {
        return;
    }
    let mut root = Command::new("unshare");
    root.args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-euc"]);
    // The program may be in a folder that is closed to others.
    let furnish = r#"
mount -t tmpfs -o mode=755 none /mnt
cp "$0" /mnt/vnet
for folder in /run /var/lib /tmp; do mount -t tmpfs none $folder; done
ip link set lo up
exec "$@"
"#;
    root.arg(furnish).arg(vnet());
    let own =
        are_told(world(&mut root, Path::new("/mnt/vnet"), "setpriv --reuid=65534 --regid=65534 --clear-groups", ":"));
    assert!(own.contains("`--state-dir /run/vnet` is for those of root"), "{own}");
}
