//! `vnet doctor [NETWORK] [GUEST]`: finds out why guests have no network.

use std::fmt::Write as _;
use std::io::{self, BufRead, IsTerminal, Write as _};

use serde::Serialize;
use vnet_driver::{Complaint, Diagnosis, Driver, Health, Mend, Symptom};

use crate::directories::Directories;
use crate::output::{Answer, Format, FormatOption, is_verbose, note, plain, print, print_json};
use crate::style::{BOLD, BROKEN, DIM, KEPT, OPEN};

/// Find out why guests have no network: what is wrong between a definition and the outside, the
/// cause first, with the command that mends it
///
/// Checks, in order, the definition, the links, addresses and routes, dnsmasq, rules of this and
/// other programs, name servers and the way out, of networks of vnet and of libvirt; of those on
/// OVN, its databases, ovn-northd, ovn-controller here, the gateway and the ports of guests. A
/// guest is made up for a moment: it asks for an address, a name, and beyond the host. Nothing is
/// changed. What cannot be known is said to be unknown. Exit code 1 when there is a problem.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A network, by name or UUID; all when left out. A guest when there is no such network
    #[arg(value_name = "NETWORK")]
    network: Option<String>,
    /// One guest of it, by its name, MAC address or device
    #[arg(value_name = "GUEST")]
    guest: Option<String>,
    /// Only read: send nothing, and make up no guest
    #[arg(long)]
    no_probe: bool,
    /// Do what vnet can do about the problems, after a question
    #[arg(long)]
    fix: bool,
    /// With --fix: ask nothing
    #[arg(long, requires = "fix")]
    yes: bool,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Serialize)]
struct Report<'a> {
    networks: &'a [String],
    /// The problem that comes first.
    cause: Option<&'a Symptom>,
    checks: &'a [Symptom],
    /// What was done with `--fix`.
    mended: Vec<String>,
}

impl Args {
    /// Examines, reports, and mends when asked to.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let driver = directories.driver()?;
        let complaint = Complaint { network: self.network.clone(), guest: self.guest.clone(), quiet: self.no_probe };
        let mut diagnosis = driver.doctor(&complaint)?;
        let mends: Vec<Mend> = diagnosis.mends().into_iter().cloned().collect();
        let mut mended = Vec::new();
        if self.fix && !mends.is_empty() {
            if self.format.format == Format::Human {
                print(text(&diagnosis))?;
            }
            if self.yes || agrees(&mends)? {
                mended = mend(&driver, &mends)?;
                diagnosis = driver.doctor(&complaint)?;
            }
        }
        match self.format.format {
            Format::Json => print_json(&Report {
                networks: &diagnosis.networks,
                cause: diagnosis.cause(),
                checks: &diagnosis.symptoms,
                mended,
            })?,
            Format::Human if self.fix && !mends.is_empty() && mended.is_empty() => {}
            Format::Human => print(text(&diagnosis))?,
        }
        Ok(Answer::when(diagnosis.cause().is_none()))
    }
}

/// Asks whether to do it. Nobody who could answer means no.
fn agrees(mends: &[Mend]) -> anyhow::Result<bool> {
    let all: Vec<String> = mends.iter().map(Mend::words).collect();
    note(format!("vnet can {}. Do it? [y/N] ", all.join(", and ")));
    if !io::stdin().is_terminal() {
        note("\nnobody to ask: --yes does it without a question\n");
        return Ok(false);
    }
    io::stderr().flush()?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}

fn mend(driver: &Driver, mends: &[Mend]) -> anyhow::Result<Vec<String>> {
    let mut mended = Vec::new();
    for mend in mends {
        driver.mend(mend)?;
        note(format!("done: {}\n", mend.words()));
        mended.push(mend.words());
    }
    Ok(mended)
}

/// For people: the cause, then every check in its order.
fn text(diagnosis: &Diagnosis) -> String {
    let mut text = String::new();
    match diagnosis.cause() {
        Some(cause) => {
            let _ = writeln!(text, "{BOLD}{}{}{BOLD:#}", of(cause), plain(&cause.finding));
            text += &details(cause);
        }
        None => text += &format!("no problem found{}\n", limits(diagnosis)),
    }
    text.push('\n');
    for symptom in &diagnosis.symptoms {
        let (word, style) = match symptom.health {
            Health::Ok => ("ok", KEPT),
            Health::Problem => ("problem", BROKEN),
            Health::Unknown => ("unknown", OPEN),
        };
        let (check, finding) = (symptom.check, plain(&symptom.finding));
        let _ = writeln!(text, "{style}{word:8}{style:#}{check:17}{}{finding}", of(symptom));
        let is_told = diagnosis.cause() == Some(symptom);
        if symptom.health != Health::Ok && !is_told {
            text += &details(symptom);
        } else if is_verbose() {
            text.extend(symptom.evidence.iter().map(|it| format!("          {DIM}{}{DIM:#}\n", plain(it))));
        }
    }
    text
}

/// What it means that no problem was found.
fn limits(diagnosis: &Diagnosis) -> String {
    if diagnosis.networks.is_empty() {
        return ": no network is defined or runs, and nothing was examined".to_owned();
    }
    let has = |check: &str| diagnosis.symptoms.iter().any(|symptom| symptom.check == check);
    if !has("bridge") && !has("northbound") {
        return ": no network runs, and only definitions were examined".to_owned();
    }
    let mut limits = match has("frames") {
        true => "; one made-up guest and samples of packets were tried".to_owned(),
        false => "; nothing was sent".to_owned(),
    };
    if diagnosis.symptoms.iter().any(|symptom| symptom.health == Health::Unknown) {
        limits += "; what is unknown is marked";
    }
    limits
}

/// The network that a check is about.
fn of(symptom: &Symptom) -> String {
    symptom.network.as_ref().map(|network| format!("{}: ", plain(network))).unwrap_or_default()
}

/// What was read, and what mends it.
fn details(symptom: &Symptom) -> String {
    let mut text = String::new();
    if !symptom.evidence.is_empty() {
        let all: Vec<String> = symptom.evidence.iter().map(|it| plain(it).to_string()).collect();
        let _ = writeln!(text, "          read: {}", all.join("; "));
    }
    for command in &symptom.commands {
        let _ = writeln!(text, "          mend: {}", plain(command));
    }
    for (at, line) in symptom.help.iter().flat_map(|help| help.lines()).enumerate() {
        let word = if at == 0 { "help: " } else { "  " };
        let _ = writeln!(text, "          {word}{}", plain(line));
    }
    text
}
