//! Plugins of others that come after this one: their results are taken over, what they redirect
//! reaches the container, and nothing else does.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use vnet_tests::{NamedNetns, isolate, run};

use super::{Plugin, define, ends, merged, nothing_is_left, start, vnet, world};

const BLUE: &str = "<network><name>blue</name><forward mode='nat'/><bridge name='br-blue'/>\
    <ip address='10.88.7.1' prefix='24'><dhcp><range start='10.88.7.2' end='10.88.7.9'/>\
    <host mac='52:54:00:00:00:50' name='db' ip='10.88.7.50'/></dhcp></ip></network>";
/// A network that nothing leaves and nothing reaches.
const DARK: &str = "<network><name>dark</name><bridge name='br-dark'/>\
    <ip address='10.88.8.1' prefix='24'><dhcp><range start='10.88.8.2' end='10.88.8.9'/></dhcp></ip></network>";

/// Another plugin's program.
pub(super) fn program(name: &str) -> PathBuf {
    let folders = ["/usr/lib/cni", "/usr/libexec/cni"].map(Path::new);
    let program = folders.into_iter().map(|folder| folder.join(name)).find(|file| file.is_file());
    program.unwrap_or_else(|| panic!("{name} of containernetworking-plugins is missing"))
}

/// A chain of plugins, and what they have made so far.
struct Chain {
    links: Vec<(Plugin, Value)>,
    result: Value,
}

impl Chain {
    /// On a network, with the plugins of others and their keys.
    fn on(network: &str, others: &[(&str, Value)]) -> Self {
        let base = json!({ "cniVersion": "1.0.0", "name": network });
        let ours = merged(&base, &json!({ "type": "vnet-cni" }));
        let mut links = vec![(Plugin { base: ours, ..Plugin::ours() }, json!({}))];
        links.extend(others.iter().map(|(name, keys)| {
            let base = merged(&base, &json!({ "type": name }));
            (Plugin { folder: program(name).parent().unwrap().to_owned(), base }, keys.clone())
        }));
        Self { links, result: Value::Null }
    }

    fn add(&mut self, container: &str) {
        for (plugin, keys) in &self.links {
            let previous = json!({ "prevResult": self.result });
            self.result = plugin.done("ADD", container, &merged(keys, &previous));
        }
    }

    fn address(&self) -> &str {
        self.result["ips"][0]["address"].as_str().unwrap().trim_end_matches("/24")
    }

    /// Checks this plugin's part. portmap 1.1.1 misses its own rules for IPv6 where there are none.
    fn check(&self, container: &str) {
        let (ours, keys) = &self.links[0];
        ours.done("CHECK", container, &merged(keys, &json!({ "prevResult": self.result })));
    }

    /// As a runtime does it: the last one first.
    fn del(&self, container: &str) {
        for (plugin, keys) in self.links.iter().rev() {
            plugin.done("DEL", container, &merged(keys, &json!({ "prevResult": self.result })));
        }
    }
}

fn ports(host: u16) -> Value {
    let ports = json!([{ "hostPort": host, "containerPort": 80, "protocol": "tcp" }]);
    json!({ "runtimeConfig": { "portMappings": ports } })
}

/// What a server says to this namespace, if it is reached.
pub(super) fn ask(address: &str) -> Option<String> {
    let address: SocketAddr = address.parse().unwrap();
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(3)).ok()?;
    let mut said = String::new();
    stream.read_to_string(&mut said).ok()?;
    Some(said)
}

/// A server on port 80 that says its name to everyone.
fn serve(container: &NamedNetns, name: &'static str) {
    let listener = container.run(|| TcpListener::bind("0.0.0.0:80").unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            stream.unwrap().write_all(name.as_bytes()).unwrap();
        }
    });
}

#[test]
fn others_come_after_it() {
    isolate!();
    let outside = world();
    run("ip", &["link", "set", "lo", "up"]);
    start(BLUE);
    define(DARK);
    let [web, hidden, guest] = ["c1", "c2", "c3"].map(NamedNetns::new);

    let limits =
        json!({ "ingressRate": 8_000_000, "ingressBurst": 800_000, "egressRate": 8_000_000, "egressBurst": 800_000 });
    let tuned = json!({ "mac": "02:00:00:00:00:77", "mtu": 1400, "sysctl": { "net.ipv4.conf.eth0.arp_filter": "1" } });
    let others = [("tuning", tuned), ("bandwidth", limits), ("portmap", ports(8080))];
    let mut chain = Chain::on("blue", &others);
    chain.add("c1");
    let inside = chain.result["interfaces"].as_array().unwrap().iter().find(|it| it["name"] == "eth0").unwrap();
    assert_eq!(inside["mac"], "02:00:00:00:00:77", "{}", chain.result);
    chain.check("c1");
    serve(&web, "web");

    let mut dark = Chain::on("dark", &[("portmap", ports(8081))]);
    dark.add("c2");
    serve(&hidden, "hidden");
    let plain = Plugin::ours();
    plain.done("ADD", "c3", &Value::Null);
    // An address that vnet has not given.
    guest.run(|| run("ip", &["address", "add", "10.88.7.50/24", "dev", "eth0"]));
    serve(&guest, "guest");
    assert_eq!(ask("10.88.7.50:80").as_deref(), Some("guest"));
    assert_eq!(ask(&format!("{}:80", dark.address())).as_deref(), Some("hidden"));

    // From outside, from the host, and from a neighbour: by the port of the host.
    assert_eq!(outside.run(|| ask("198.51.100.2:8080")).as_deref(), Some("web"));
    assert_eq!(ask("198.51.100.2:8080").as_deref(), Some("web"));
    assert_eq!(guest.run(|| ask("198.51.100.2:8080")).as_deref(), Some("web"));
    // The container's own port is not reached from outside, nor by guests who may not leave.
    outside.run(|| run("ip", &["route", "add", "10.88.0.0/16", "via", "198.51.100.2"]));
    assert_eq!(outside.run(|| ask(&format!("{}:80", chain.address()))), None);
    assert_eq!(hidden.run(|| ask("198.51.100.2:8080")), None);
    // An isolated network stays so, and an address that is no container's is not reached.
    assert_eq!(outside.run(|| ask("198.51.100.2:8081")), None);
    assert_eq!(guest.run(|| ask("198.51.100.2:8081")), None);
    let to_guest = ["-p", "tcp", "--dport", "8082", "-j", "DNAT", "--to-destination", "10.88.7.50:80"];
    run("iptables-nft", &[&["-t", "nat", "-A", "PREROUTING"][..], &to_guest].concat());
    assert_eq!(outside.run(|| ask("198.51.100.2:8082")), None);

    // A change of the network keeps all of it.
    vnet(&["apply", "blue"]);
    assert_eq!(outside.run(|| ask("198.51.100.2:8080")).as_deref(), Some("web"));
    plain.done("DEL", "c3", &Value::Null);
    dark.del("c2");
    chain.del("c1");
    assert_eq!(outside.run(|| ask("198.51.100.2:8080")), None);
    assert_eq!(ends(), Vec::<String>::new());
    nothing_is_left();
}
