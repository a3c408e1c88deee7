//! The commands, one file each.

mod apply;
mod attach;
mod attach_interface;
mod autostart;
mod check;
mod completions;
mod confirm;
mod define;
mod desc;
mod detach;
mod detach_interface;
mod diff;
mod doctor;
mod dumpxml;
mod edit;
mod events;
mod explain;
mod export;
mod fmt;
mod forget;
mod forward;
mod gc;
mod graph;
mod import;
mod info;
mod leases;
mod libvirt;
mod list;
mod man;
mod metadata;
mod name;
mod net_event;
mod net_port;
mod new;
mod passt;
mod plan;
mod ports;
mod render;
mod start;
mod status;
mod stop;
mod trace;
mod undefine;
mod update;
mod uuid;
mod verify;
mod version;
mod words;

use crate::directories::Directories;
use crate::output::Answer;
use crate::try_network;

/// A command. virsh's names are aliases.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    New(new::Args),
    Check(check::Args),
    Fmt(fmt::Args),
    #[command(visible_alias = "net-define")]
    Define(define::Args),
    #[command(visible_alias = "net-edit")]
    Edit(edit::Args),
    #[command(visible_alias = "net-undefine")]
    Undefine(undefine::Args),
    #[command(visible_alias = "net-autostart")]
    Autostart(autostart::Args),
    Plan(plan::Args),
    #[command(visible_aliases = ["net-start", "net-create"])]
    Start(start::Args),
    #[command(visible_alias = "net-destroy")]
    Stop(stop::Args),
    Apply(apply::Args),
    Confirm(confirm::Args),
    Diff(diff::Args),
    Doctor(doctor::Args),
    Attach(attach::Args),
    AttachInterface(attach_interface::Args),
    Detach(detach::Args),
    DetachInterface(detach_interface::Args),
    #[command(visible_alias = "net-port-list")]
    Ports(ports::Args),
    Status(status::Args),
    Graph(graph::Args),
    #[command(visible_alias = "net-info")]
    Info(info::Args),
    #[command(visible_alias = "net-name")]
    Name(name::Args),
    Desc(desc::Desc),
    NetDesc(desc::NetDesc),
    Title(desc::Title),
    #[command(visible_alias = "net-metadata")]
    Metadata(metadata::Args),
    #[command(visible_alias = "net-uuid")]
    Uuid(uuid::Args),
    #[command(visible_alias = "net-list")]
    List(list::Args),
    #[command(visible_alias = "net-dhcp-leases")]
    Leases(leases::Args),
    Events(events::Args),
    NetEvent(net_event::Args),
    NetPortDumpxml(net_port::Dumpxml),
    NetPortDelete(net_port::Delete),
    NetPortCreate(net_port::Create),
    #[command(visible_alias = "net-dumpxml")]
    Dumpxml(dumpxml::Args),
    #[command(visible_alias = "net-update")]
    Update(update::Args),
    Forward(forward::Args),
    Import(import::Args),
    Export(export::Args),
    Libvirt(libvirt::Args),
    Gc(gc::Args),
    Forget(forget::Args),
    Render(render::Args),
    Passt(passt::Args),
    Trace(trace::Args),
    Verify(verify::Args),
    Try(try_network::Args),
    Explain(explain::Args),
    Completions(completions::Args),
    Man(man::Args),
    Version(version::Args),
}

impl Command {
    /// Runs the command. `program` builds the whole command line, for commands that print it.
    pub(crate) fn run(&self, directories: &Directories, program: fn() -> clap::Command) -> anyhow::Result<Answer> {
        match self {
            Self::New(args) => args.run(directories),
            Self::Check(args) => args.run(directories),
            Self::Fmt(args) => args.run(),
            Self::Define(args) => args.run(directories),
            Self::Edit(args) => args.run(directories),
            Self::Undefine(args) => args.run(directories),
            Self::Autostart(args) => args.run(directories),
            Self::Plan(args) => args.run(directories),
            Self::Start(args) => args.run(directories),
            Self::Stop(args) => args.run(directories),
            Self::Apply(args) => args.run(directories),
            Self::Confirm(args) => args.run(directories),
            Self::Diff(args) => args.run(directories),
            Self::Doctor(args) => args.run(directories),
            Self::Attach(args) => args.run(directories),
            Self::AttachInterface(args) => args.run(directories),
            Self::DetachInterface(args) => args.run(directories),
            Self::NetPortDumpxml(args) => args.run(directories),
            Self::NetPortDelete(args) => args.run(directories),
            Self::NetPortCreate(args) => args.run(directories),
            Self::Detach(args) => args.run(directories),
            Self::Ports(args) => args.run(directories),
            Self::Status(args) => args.run(directories),
            Self::Graph(args) => args.run(directories),
            Self::Info(args) => args.run(directories),
            Self::Name(args) => args.run(directories),
            Self::Desc(args) => args.run(directories),
            Self::NetDesc(args) => args.run(directories),
            Self::Title(args) => args.run(directories),
            Self::Metadata(args) => args.run(directories),
            Self::Uuid(args) => args.run(directories),
            Self::List(args) => args.run(directories),
            Self::Leases(args) => args.run(directories),
            Self::Events(args) => args.run(directories),
            Self::NetEvent(args) => args.run(directories),
            Self::Dumpxml(args) => args.run(directories),
            Self::Update(args) => args.run(directories),
            Self::Forward(args) => args.run(directories),
            Self::Import(args) => args.run(directories),
            Self::Export(args) => args.run(directories),
            Self::Libvirt(args) => args.run(directories),
            Self::Gc(args) => args.run(directories),
            Self::Forget(args) => args.run(directories),
            Self::Render(args) => args.run(directories),
            Self::Passt(args) => args.run(directories),
            Self::Trace(args) => args.run(directories),
            Self::Verify(args) => args.run(directories),
            Self::Try(args) => args.run(),
            Self::Explain(args) => args.run(),
            Self::Completions(args) => args.run(),
            Self::Man(args) => args.run(program()),
            Self::Version(args) => args.run(&program()),
        }
    }
}
