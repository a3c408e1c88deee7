//! The verbs: each is one call of the driver.

mod failure;
mod tuning;

use std::path::PathBuf;
use std::time::Duration;

use vnet_driver::{ContainerOptions, ContainerPort, Driver, ExpectedMtu, Readiness};
use vnet_plan::ContainerTap;
use vnet_types::{InterfaceName, TapOptions};

use crate::protocol::{Device, Environment, Failure, Head, Interface, Outcome, Previous, Settings, Verb};
use failure::failure;

/// The folder of state, the one that `vnet` has.
const STATE: &str = "/run/vnet";
/// This program, even where its file was replaced meanwhile.
const THIS_PROGRAM: &str = "/proc/self/exe";
/// Runtimes give up after a minute or more, and call again after an error.
const LOCK_LIMIT: Duration = Duration::from_secs(30);
/// So many letters of an interface's name give way to `tap`.
const REPLACED: usize = 3;

/// Does what the runtime wants, and returns what is printed.
pub(crate) fn run(environment: &Environment, head: &Head) -> Result<String, Failure> {
    // Not from the environment: runtimes call DEL with another one than ADD.
    let driver = Driver::open(STATE).map_err(|error| failure(&error))?;
    let driver = driver.with_lock_limit(LOCK_LIMIT).with_deputy(THIS_PROGRAM);
    match environment.verb {
        Verb::Add => add(&driver, environment, head),
        Verb::Del => del(&driver, environment, head),
        Verb::Check => check(&driver, environment, head),
        Verb::Gc => collect(&driver, head),
        Verb::Status => status(&driver, head),
        // It was answered before.
        Verb::Version => Ok(String::new()),
    }
}

fn add(driver: &Driver, environment: &Environment, head: &Head) -> Result<String, Failure> {
    let settings = Settings::read(head)?;
    let previous = Previous::read(head)?;
    let attachment = environment.attachment(&head.name)?;
    let sandbox = environment.namespace.clone();
    let mut options = ContainerOptions::new(attachment, PathBuf::from(&sandbox), settings.network.clone());
    options.mac = settings.mac.or(environment.mac);
    options.ips = if settings.ips.is_empty() { environment.ips.clone() } else { settings.ips.clone() };
    options.tap = match settings.device {
        Device::Kubevirt => Some(tap(&options.attachment.interface, &settings)?),
        Device::Veth => None,
    };
    options.names = names(environment.pod_name.as_deref(), &settings.aliases);
    options.pod.clone_from(&environment.pod);
    options.definition = settings.definition;
    options.starts = settings.starts;
    options.port_group = settings.port_group;
    options.isolated = settings.isolated;
    options.mtu = settings.mtu;
    options.bandwidth = settings.bandwidth;
    options.has_addresses = settings.has_addresses;
    options.default_route = settings.default_route;
    options.has_host_ports = settings.has_host_ports;
    let attached = driver.attach_container(&options).map_err(|error| failure(&error))?;
    let outcome = outcome(&options, attached, sandbox, settings.dns);
    outcome.print(head.version, previous.as_ref()).inspect_err(|_| {
        // The container has what cannot be told of in this version.
        let _ = driver.detach_container(&options.attachment, &options.network, options.definition.as_ref());
    })
}

fn outcome(
    options: &ContainerOptions,
    port: ContainerPort,
    sandbox: String,
    dns: Option<serde_json::Value>,
) -> Outcome {
    let bridge = port.bridge.map(|(name, mac)| Interface { name, mac, mtu: None, sandbox: None });
    let of_host = Interface { name: port.port.dev, mac: port.host_mac, mtu: port.mtu, sandbox: None };
    let of_container = Interface {
        name: options.attachment.interface.clone(),
        mac: Some(port.port.mac),
        mtu: port.mtu,
        sandbox: Some(sandbox),
    };
    Outcome {
        interfaces: bridge.into_iter().chain([of_host, of_container]).collect(),
        ips: port.addresses.iter().map(|it| (it.net, it.gateway)).collect(),
        default_route: port.default_route,
        nameservers: port.nameservers,
        domain: port.domain,
        dns,
    }
}

/// KubeVirt looks for a tap whose name is that of the interface with other first letters.
fn tap(interface: &InterfaceName, settings: &Settings) -> Result<ContainerTap, Failure> {
    let rest = interface.as_str().get(REPLACED..).filter(|rest| !rest.is_empty());
    let named = rest.and_then(|rest| format!("tap{rest}").parse().ok()).filter(|name| name != interface);
    let name = named.ok_or_else(|| {
        Failure::new(
            7,
            format!("CNI_IFNAME is `{interface}`: no name for the tap of a virtual machine follows from it"),
        )
    })?;
    let options = TapOptions {
        owner: Some(settings.owner),
        group: Some(settings.group),
        multi_queue: settings.multi_queue,
        vnet_hdr: true,
    };
    Ok(ContainerTap { name, options })
}

/// The names for DNS: the pod's, and those that the runtime asks for. Others are left out.
fn names(pod: Option<&str>, aliases: &[String]) -> Vec<String> {
    let is_label = |label: &str| {
        let inner = label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        inner && (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    let is_name = |name: &str| name.len() <= 253 && name.split('.').all(is_label);
    let mut names: Vec<String> = Vec::new();
    for name in pod.into_iter().chain(aliases.iter().map(String::as_str)).filter(|name| is_name(name)) {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

fn del(driver: &Driver, environment: &Environment, head: &Head) -> Result<String, Failure> {
    let attachment = environment.attachment(&head.name)?;
    let (network, definition) = Settings::network(head)?;
    driver.detach_container(&attachment, &network, definition.as_ref()).map_err(|error| failure(&error))?;
    Ok(String::new())
}

fn check(driver: &Driver, environment: &Environment, head: &Head) -> Result<String, Failure> {
    let attachment = environment.attachment(&head.name)?;
    let previous =
        Previous::read(head)?.ok_or_else(|| Failure::new(7, "CHECK needs /prevResult, and it is missing"))?;
    let interface = attachment.interface.as_str();
    let expected = previous.expectation(interface, &environment.namespace);
    let mut expected =
        expected.ok_or_else(|| Failure::new(7, format!("/prevResult has no interface `{interface}`")))?;
    if tuning::has_changed_mtu(&attachment) {
        expected.mtu = ExpectedMtu::Any;
    }
    let found = driver.check_container(&attachment, &expected).map_err(|error| failure(&error))?;
    let changes = found.port.iter().chain(&found.network).map(|change| format!("not as it was made: {change}"));
    let messages: Vec<_> = found.inside.iter().cloned().chain(changes).chain(found.ovn.iter().cloned()).collect();
    Failure::of(104, &messages).map_or_else(|| Ok(String::new()), Err)
}

fn collect(driver: &Driver, head: &Head) -> Result<String, Failure> {
    let valid = head.valid_attachments()?;
    let (network, definition) = Settings::network(head)?;
    let left = driver.collect_containers(&head.name, valid.as_deref(), &network, definition.as_ref());
    let left = left.map_err(|error| failure(&error))?;
    let mut failures = left.errors.iter().map(failure);
    match failures.next() {
        Some(first) => {
            let others: Vec<String> = failures.map(|failure| failure.message).collect();
            let details = [first.details.clone(), others.join("\n")].join("\n");
            Err(first.with(details.trim()))
        }
        None => Ok(String::new()),
    }
}

fn status(driver: &Driver, head: &Head) -> Result<String, Failure> {
    let settings = Settings::read(head)?;
    let (network, definition) = (&settings.network, settings.definition.as_ref());
    let readiness = driver.readiness(network, definition, settings.starts, settings.has_addresses);
    let (code, why) = match readiness.map_err(|error| Failure { code: 50, ..failure(&error) })? {
        Readiness::Ready => return Ok(String::new()),
        Readiness::Unavailable(why) => (50, why),
        Readiness::Impaired(why) => (51, why),
    };
    Failure::of(code, &[why]).map_or_else(|| Ok(String::new()), Err)
}
