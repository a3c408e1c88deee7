//! `vnet trace GUEST [TO[:PORT]]`: shows a packet's way through all rules of this host.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;
use vnet_driver::{CtState, TraceAnswer, TraceEnd, TraceRequest, TraceStep};

use crate::directories::Directories;
use crate::output::{Answer, Format, FormatOption, note, plain, print, print_json};
use crate::style::{BOLD, BROKEN, DIM, KEPT, OPEN};
use crate::time::duration;

/// Show the way of a guest's packets through all rules of this host, of vnet and of other programs,
/// as the kernel tells it: hook, table, chain, rule, verdict, translation
///
/// Waits for packets of the guest, or sends one in its name, and ends by itself. What arms the
/// trace goes with the process, even when it is killed. Exit code 1 when no packet came, or one was
/// dropped.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The guest: its name, MAC address, device or IP address
    #[arg(value_name = "GUEST")]
    guest: String,
    /// Where its packets go to: an address, with :PORT if wanted (`[ADDRESS]:PORT` for IPv6)
    #[arg(value_name = "TO[:PORT]", value_parser = place)]
    to: Option<Place>,
    /// The protocol
    #[arg(long, value_enum, value_name = "PROTOCOL")]
    proto: Option<Protocol>,
    /// Send one packet in the guest's name, from beside it, in place of waiting for one
    #[arg(long, requires = "to")]
    send: bool,
    /// Send and wait for nothing: say what the rules and routes as they stand would do with a
    /// packet, by TCP unless --proto says otherwise
    #[arg(long, requires = "to", conflicts_with_all = ["send", "packets", "limit"])]
    explain: bool,
    /// What the packet is to its connection
    #[arg(long, value_enum, value_name = "STATE", default_value_t = Connection::New, requires = "explain")]
    state: Connection,
    /// End after this many packets; answers count
    #[arg(long, default_value_t = 2, value_name = "NUMBER")]
    packets: usize,
    /// End after this time [default: 30s, or 2s with --send]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    limit: Option<Duration>,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    address: IpAddr,
    port: Option<u16>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Protocol {
    Icmp,
    Tcp,
    Udp,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Connection {
    /// Its first packet
    New,
    /// A later one of a connection that the guest has begun
    Established,
    /// The guest's answer to a connection that TO has begun; PORT is the guest's own
    Reply,
}

#[derive(Serialize)]
struct Report {
    packets: usize,
    steps: Vec<TraceStep>,
    /// What the rules would do, where no packet was sent.
    answer: Option<TraceEnd>,
    reason: Option<String>,
}

fn place(text: &str) -> anyhow::Result<Place> {
    if let Ok(address) = text.parse() {
        return Ok(Place { address, port: None });
    }
    let both: SocketAddr = text.parse().context("it is no address, and no address with a port")?;
    Ok(Place { address: both.ip(), port: Some(both.port()) })
}

impl Args {
    /// Follows packets and prints each step.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let driver = directories.driver()?;
        let mut request = TraceRequest::new(&self.guest);
        request.to = self.to.map(|to| to.address);
        request.port = self.to.and_then(|to| to.port);
        request.protocol = self.proto.map(|proto| match proto {
            Protocol::Icmp => 1,
            Protocol::Tcp => 6,
            Protocol::Udp => 17,
        });
        request.connection = match self.state {
            Connection::New => CtState::New,
            Connection::Established => CtState::Ongoing,
            Connection::Reply => CtState::Established,
        };
        if self.explain {
            return self.explain(&driver.explain(&request)?);
        }
        request.send = self.send;
        request.packets = self.packets;
        request.limit = self.limit.unwrap_or(Duration::from_secs(if self.send { 2 } else { 30 }));
        let is_human = self.format.format == Format::Human;
        let (mut steps, mut failed, mut packet) = (Vec::new(), None, 0);
        let untraced = if self.send { None } else { driver.untraced(&request)? };
        let armed = || {
            if let Some(network) = &untraced {
                note(format!(
                    "network {network} has a flowtable: packets of established connections may skip the rules, and are \
                     not seen then\n"
                ));
            }
            if !self.send {
                note(format!("waiting for packets of {}, {} s at most\n", plain(&self.guest), request.limit.as_secs()));
            }
        };
        let packets = driver.trace(&request, armed, |step| {
            if is_human {
                failed = failed.take().or_else(|| print(text(step, &mut packet)).err());
            }
            steps.push(step.clone());
        })?;
        failed.map_or(Ok(()), Err)?;
        let is_dropped = steps.iter().any(|step| step.verdict.starts_with("drop"));
        match self.format.format {
            Format::Json => print_json(&Report { packets, steps, answer: None, reason: None })?,
            Format::Human if packets == 0 => print("no packet came\n")?,
            Format::Human => {}
        }
        Ok(Answer::when(packets > 0 && !is_dropped))
    }
}

impl Args {
    /// Prints what the rules would do.
    fn explain(&self, explained: &TraceAnswer) -> anyhow::Result<Answer> {
        let TraceAnswer { steps, answer, reason, .. } = explained;
        match self.format.format {
            Format::Json => {
                let (steps, reason) = (steps.clone(), Some(reason.clone()));
                print_json(&Report { packets: 0, steps, answer: Some(*answer), reason })?;
            }
            Format::Human => {
                let mut packet = 0;
                steps.iter().try_for_each(|step| print(text(step, &mut packet)))?;
                let (word, style) = match answer {
                    TraceEnd::Passes => ("passes", KEPT),
                    TraceEnd::Refused => ("refused", BROKEN),
                    TraceEnd::Unknown => ("unknown", OPEN),
                };
                print(format!("{style}{word}{style:#}: {}\n", plain(reason)))?;
            }
        }
        Ok(Answer::when(*answer == TraceEnd::Passes))
    }
}

/// A line for a step, and one before it for a packet that is new.
fn text(step: &TraceStep, packet: &mut usize) -> String {
    let mut text = String::new();
    let by = |word: &str, link: &Option<String>| {
        link.as_ref().map(|link| format!(", {word} by {}", plain(link))).unwrap_or_default()
    };
    if *packet != step.packet {
        let header = step.header.as_deref().unwrap_or("a frame");
        text += &format!("{BOLD}packet {}: {}{BOLD:#}{}\n", step.packet, plain(header), by("in", &step.incoming));
        *packet = step.packet;
    }
    if let Some(translated) = &step.translated {
        text += &format!("  translated: {}\n", plain(translated));
    }
    let hook = step.hook.unwrap_or("");
    let style = if step.verdict.starts_with("drop") { BROKEN } else { KEPT };
    let Some((table, chain)) = step.table.as_ref().zip(step.chain.as_ref()) else {
        return text + &format!("  {hook:12}{DIM}passed{}{DIM:#}\n", by("out", &step.outgoing));
    };
    let rule = step.rule.as_ref().map(|rule| format!("  {}", plain(rule))).unwrap_or_default();
    let counts = step.counts.map(|it| format!("  {DIM}(packets {} bytes {}){DIM:#}", it.packets, it.bytes));
    let counts = counts.unwrap_or_default();
    text + &format!("  {hook:12}{} {}: {style}{}{style:#}{rule}{counts}\n", plain(table), plain(chain), step.verdict)
}
