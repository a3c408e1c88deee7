//! Names that look like no path, and folders and files that somebody else could have prepared.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use rstest::rstest;
use vnet_passt::run::{Error, Running};

use crate::guest::Guest;
use crate::host::{Host, folder, passt, passt_in, start, try_start};

#[rstest]
#[case::blanks("a b  c")]
#[case::commas("a,b,,c=d")]
#[case::newline("a\nb")]
#[case::leading_dash("-a/--one-off")]
#[case::quotes("it's \"a\" $(b) `c`; d")]
#[case::not_ascii("gäst\u{1b}[1m")]
#[case::ends_with_a_blank("a ")]
fn a_path_is_taken_as_it_is(#[case] name: &str) {
    vnet_tests::isolate!();
    let _host = Host::new();
    let folder = folder(name);
    let mut passt = passt_in(&folder);
    passt.log_file = Some(folder.join("-l,og\n.txt"));
    passt.options.pcap = Some(folder.join("--pcap"));
    let running = start(&passt);
    assert_eq!(Running::find(passt.pid_file.as_deref().unwrap(), &passt.socket).unwrap(), Some(running.clone()));
    assert!(matches!(try_start(&passt), Err(Error::InUse { .. })));
    Guest::new(&passt.socket).lease();
    running.stop().unwrap();
    let mut left: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["--pcap", "-l,og\n.txt"]);
}

#[test]
fn a_socket_whose_name_is_the_end_of_another_s_is_not_it() {
    vnet_tests::isolate!();
    let _host = Host::new();
    start(&passt_in(&folder("x /run/vm1")));
    start(&passt());
}

#[test]
fn a_folder_that_is_not_ours_alone_is_refused() {
    vnet_tests::isolate!();
    let _host = Host::new();
    let mode = |path: &str, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let refused = |folder: &str| {
        let error = try_start(&passt_in(Path::new(folder))).unwrap_err();
        assert!(matches!(error, Error::NotPrivate { .. }), "{folder}: {error}");
        assert!(fs::read_dir(folder).unwrap().next().is_none(), "{folder} has something in it now");
    };
    folder("open");
    mode("/run/open", 0o777);
    refused("/run/open");
    folder("below/ours");
    mode("/run/below", 0o775);
    refused("/run/below/ours");
    // A folder that everybody may write to is fine above, where nobody can rename what is not
    // theirs.
    mode("/run/below", 0o1777);
    start(&passt_in(Path::new("/run/below/ours")));
    // The group root may write to it: some releases of passt make their files as root of no
    // capabilities.
    folder("group");
    mode("/run/group", 0o770);
    start(&passt_in(Path::new("/run/group")));
    folder("real");
    symlink("/run/real", "/run/link").unwrap();
    refused("/run/link");
}

#[test]
fn a_log_or_a_capture_that_is_a_link_is_refused() {
    vnet_tests::isolate!();
    let _host = Host::new();
    fs::write("/run/precious", "kept").unwrap();
    folder("vm1");
    symlink("/run/precious", "/run/vm1/log").unwrap();
    symlink("/run/nowhere", "/run/vm1/pcap").unwrap();
    let mut log = passt();
    log.log_file = Some("/run/vm1/log".into());
    let mut pcap = passt();
    pcap.options.pcap = Some("/run/vm1/pcap".into());
    let mut device = passt();
    device.log_file = Some("/dev/null".into());
    for passt in [log, pcap, device] {
        assert!(matches!(try_start(&passt), Err(Error::NotAFile { .. })));
    }
    assert_eq!(fs::read_to_string("/run/precious").unwrap(), "kept");
    assert!(!fs::exists("/run/nowhere").unwrap());
}

#[test]
fn a_relative_path_is_refused() {
    vnet_tests::isolate!();
    let error = try_start(&passt_in(Path::new("here"))).unwrap_err();
    assert!(matches!(error, Error::NotAbsolute(_)), "{error}");
}
