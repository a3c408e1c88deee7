//! The subnets of container engines, by their configuration: the pools of Docker and podman, and
//! the networks that podman, CRI-O and others keep as files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use vnet_types::{IpNet, ReservedSubnet, SubnetHolder};

/// Where the programs are installed.
const PROGRAMS: [&str; 2] = ["usr/bin", "usr/local/bin"];
const DOCKER: &str = "etc/docker/daemon.json";
/// The pools of a Docker without configuration (libnetwork's `ipamutils`).
const DOCKER_POOLS: [&str; 7] = [
    "172.17.0.0/16",
    "172.18.0.0/16",
    "172.19.0.0/16",
    "172.20.0.0/14",
    "172.24.0.0/14",
    "172.28.0.0/14",
    "192.168.0.0/16",
];
/// What podman reads, the most important last (containers.conf(5)).
const PODMAN: [&str; 2] = ["usr/share/containers/containers.conf", "etc/containers/containers.conf"];
const PODMAN_PARTS: &str = "etc/containers/containers.conf.d";
/// The subnet and the pools of a podman without configuration.
const PODMAN_SUBNET: &str = "10.88.0.0/16";
const PODMAN_POOLS: [&str; 5] = ["10.89.0.0/16", "10.90.0.0/15", "10.92.0.0/14", "10.96.0.0/11", "10.128.0.0/9"];
/// The networks of netavark, and those of CNI.
const NETWORKS: [&str; 2] = ["etc/containers/networks", "etc/cni/net.d"];

/// Docker's `daemon.json`, as far as it is about subnets.
#[derive(Default, Deserialize)]
#[serde(default)]
struct DockerConfig {
    bip: Option<String>,
    #[serde(rename = "default-address-pools")]
    pools: Vec<Pool>,
}

#[derive(Clone, Deserialize)]
struct Pool {
    base: String,
}

/// podman's `containers.conf`, as far as it is about subnets.
#[derive(Default, Deserialize)]
#[serde(default)]
struct PodmanConfig {
    network: PodmanNetwork,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PodmanNetwork {
    default_subnet: Option<String>,
    default_subnet_pools: Option<Vec<Pool>>,
}

/// The subnets of all container engines of a host whose files are below `root`. What cannot be read
/// is added to `unread`.
pub(crate) fn reserved(root: &Path, unread: &mut Vec<PathBuf>) -> Vec<ReservedSubnet> {
    let pool = |program: &str, nets: Vec<String>| {
        let by = SubnetHolder::Pool(program.to_owned());
        nets.into_iter().filter_map(move |net| Some(ReservedSubnet { net: parsed(&net)?, by: by.clone() }))
    };
    let mut all: Vec<ReservedSubnet> = pool("Docker", docker(root, unread)).collect();
    all.extend(pool("podman", podman(root, unread)));
    for folder in NETWORKS {
        for file in files(&root.join(folder), &["json", "conflist", "conf"], unread) {
            let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let Some(config) = text(&file, unread).and_then(|text| serde_json::from_str(&text).ok()) else { continue };
            let by = SubnetHolder::Containers(name);
            all.extend(subnets(&config).into_iter().map(|net| ReservedSubnet { net, by: by.clone() }));
        }
    }
    all
}

fn docker(root: &Path, unread: &mut Vec<PathBuf>) -> Vec<String> {
    let text = text(&root.join(DOCKER), unread);
    if text.is_none() && !is_installed(root, "dockerd") {
        return Vec::new();
    }
    // Docker does not start with a file that it cannot read.
    let config: DockerConfig = text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let mut pools: Vec<String> = config.pools.into_iter().map(|pool| pool.base).collect();
    if pools.is_empty() {
        pools = DOCKER_POOLS.map(str::to_owned).to_vec();
    }
    pools.into_iter().chain(config.bip).collect()
}

fn podman(root: &Path, unread: &mut Vec<PathBuf>) -> Vec<String> {
    let parts = files(&root.join(PODMAN_PARTS), &["conf"], unread);
    let (mut subnet, mut pools) = (None, None);
    for file in PODMAN.map(|file| root.join(file)).into_iter().chain(parts) {
        let config = text(&file, unread).and_then(|text| toml::from_str::<PodmanConfig>(&text).ok());
        let Some(PodmanConfig { network }) = config else { continue };
        subnet = network.default_subnet.or(subnet);
        pools = network.default_subnet_pools.or(pools);
    }
    if subnet.is_none() && pools.is_none() && !is_installed(root, "podman") {
        return Vec::new();
    }
    let pools = pools.map(|pools| pools.into_iter().map(|pool| pool.base).collect());
    let mut all: Vec<String> = pools.unwrap_or_else(|| PODMAN_POOLS.map(str::to_owned).to_vec());
    all.push(subnet.unwrap_or_else(|| PODMAN_SUBNET.to_owned()));
    all
}

fn is_installed(root: &Path, program: &str) -> bool {
    PROGRAMS.iter().any(|folder| root.join(folder).join(program).exists())
}

/// The text of a file; `None` when there is none.
fn text(file: &Path, unread: &mut Vec<PathBuf>) -> Option<String> {
    match fs::read_to_string(file) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(_) => {
            unread.push(file.to_owned());
            None
        }
    }
}

/// The files of a folder with one of these endings, in order.
fn files(folder: &Path, endings: &[&str], unread: &mut Vec<PathBuf>) -> Vec<PathBuf> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                unread.push(folder.to_owned());
            }
            return Vec::new();
        }
    };
    let has_ending = |file: &PathBuf| file.extension().is_some_and(|it| endings.iter().any(|ending| it == *ending));
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(has_ending).collect();
    files.sort();
    files
}

/// All values of `"subnet"`, at any depth: netavark and each plugin of CNI has them elsewhere.
fn subnets(config: &Value) -> Vec<IpNet> {
    match config {
        Value::Array(items) => items.iter().flat_map(subnets).collect(),
        Value::Object(fields) => {
            let own = fields.get("subnet").and_then(Value::as_str).and_then(parsed);
            own.into_iter().chain(fields.values().flat_map(subnets)).collect()
        }
        _ => Vec::new(),
    }
}

/// A subnet, perhaps with the address of a host in it.
fn parsed(text: &str) -> Option<IpNet> {
    text.parse::<IpNet>().ok().map(|net| net.trunc())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use rstest::rstest;

    use super::*;

    /// The subnets that are reserved on a host with these files.
    fn shown(files: &[(&str, &str)]) -> Vec<String> {
        let root = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let file = root.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        let mut unread = Vec::new();
        let all = reserved(root.path(), &mut unread);
        assert!(unread.is_empty(), "{unread:?}");
        let by = |by: SubnetHolder| match by {
            SubnetHolder::Pool(name) | SubnetHolder::Containers(name) => name,
            other => panic!("{other:?}"),
        };
        all.into_iter().map(|it| format!("{} {}", it.net, by(it.by))).collect()
    }

    #[rstest]
    #[case::nothing(&[], &[])]
    #[case::docker_with_pools(
        &[(DOCKER, r#"{"bip": "10.7.0.1/24", "default-address-pools": [{"base": "10.200.0.0/16", "size": 24}]}"#)],
        &["10.200.0.0/16 Docker", "10.7.0.0/24 Docker"],
    )]
    #[case::podman_with_pools(
        &[
            (PODMAN[0], "[network]\ndefault_subnet = '10.1.0.0/16'\n"),
            (PODMAN[1], "[containers]\nlog_driver = 'journald'\n"),
            ("etc/containers/containers.conf.d/50.conf", "[network]\ndefault_subnet_pools = [{base = '10.2.0.0/16', size = 24}]"),
        ],
        &["10.2.0.0/16 podman", "10.1.0.0/16 podman"],
    )]
    #[case::networks_of_netavark_and_cni(
        &[
            ("etc/containers/networks/web.json", r#"{"name": "web", "subnets": [{"subnet": "10.89.3.0/24"}]}"#),
            ("etc/cni/net.d/10.conflist", r#"{"plugins": [{"ipam": {"ranges": [[{"subnet": "10.85.0.1/16"}]]}}]}"#),
            ("etc/cni/net.d/readme.txt", "no JSON"),
        ],
        &["10.89.3.0/24 web", "10.85.0.0/16 10"],
    )]
    fn by_configuration(#[case] files: &[(&str, &str)], #[case] expected: &[&str]) {
        assert_eq!(shown(files), expected);
    }

    #[test]
    fn programs_without_configuration_have_their_usual_pools() {
        let docker = shown(&[("usr/bin/dockerd", "")]);
        assert_eq!((docker.len(), docker[6].as_str()), (7, "192.168.0.0/16 Docker"));
        assert_eq!(shown(&[(DOCKER, "{broken")]), docker);
        let podman = shown(&[("usr/local/bin/podman", "")]);
        assert_eq!((podman.len(), podman[5].as_str()), (6, "10.88.0.0/16 podman"));
    }
}
