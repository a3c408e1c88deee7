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

/// How clap knows what a command takes.
type Augment = fn(clap::Command) -> clap::Command;

macro_rules! commands {
    ($($name:literal $(| $alias:literal)* => $variant:ident($args:ty),)*) => {
        /// A command. virsh's names are aliases.
        #[derive(Debug, clap::Subcommand)]
        pub(crate) enum Command {
            $(#[command(name = $name)] $(#[command(visible_alias = $alias)])* $variant($args),)*
        }

        /// The commands with their aliases.
        const COMMANDS: &[(&str, &[&str], Augment)] =
            &[$(($name, &[$($alias),*], <$args as clap::Args>::augment_args)),*];
    };
}

commands! {
    "new" => New(new::Args),
    "check" => Check(check::Args),
    "fmt" => Fmt(fmt::Args),
    "define" | "net-define" => Define(define::Args),
    "edit" | "net-edit" => Edit(edit::Args),
    "undefine" | "net-undefine" => Undefine(undefine::Args),
    "autostart" | "net-autostart" => Autostart(autostart::Args),
    "plan" => Plan(plan::Args),
    "start" | "net-start" | "net-create" => Start(start::Args),
    "stop" | "net-destroy" => Stop(stop::Args),
    "apply" => Apply(apply::Args),
    "confirm" => Confirm(confirm::Args),
    "diff" => Diff(diff::Args),
    "doctor" => Doctor(doctor::Args),
    "attach" => Attach(attach::Args),
    "attach-interface" => AttachInterface(attach_interface::Args),
    "detach" => Detach(detach::Args),
    "detach-interface" => DetachInterface(detach_interface::Args),
    "ports" | "net-port-list" => Ports(ports::Args),
    "status" => Status(status::Args),
    "graph" => Graph(graph::Args),
    "info" | "net-info" => Info(info::Args),
    "name" | "net-name" => Name(name::Args),
    "desc" => Desc(desc::Desc),
    "net-desc" => NetDesc(desc::NetDesc),
    "title" => Title(desc::Title),
    "metadata" | "net-metadata" => Metadata(metadata::Args),
    "uuid" | "net-uuid" => Uuid(uuid::Args),
    "list" | "net-list" => List(list::Args),
    "leases" | "net-dhcp-leases" => Leases(leases::Args),
    "events" => Events(events::Args),
    "net-event" => NetEvent(net_event::Args),
    "net-port-dumpxml" => NetPortDumpxml(net_port::Dumpxml),
    "net-port-delete" => NetPortDelete(net_port::Delete),
    "net-port-create" => NetPortCreate(net_port::Create),
    "dumpxml" | "net-dumpxml" => Dumpxml(dumpxml::Args),
    "update" | "net-update" => Update(update::Args),
    "forward" => Forward(forward::Args),
    "import" => Import(import::Args),
    "export" => Export(export::Args),
    "libvirt" => Libvirt(libvirt::Args),
    "gc" => Gc(gc::Args),
    "forget" => Forget(forget::Args),
    "render" => Render(render::Args),
    "passt" => Passt(passt::Args),
    "trace" => Trace(trace::Args),
    "verify" => Verify(verify::Args),
    "try" => Try(try_network::Args),
    "explain" => Explain(explain::Args),
    "completions" => Completions(completions::Args),
    "man" => Man(man::Args),
    "version" => Version(version::Args),
}

impl Command {
    /// The command line of the command with this name or alias.
    pub(crate) fn named(word: &str) -> Option<clap::Command> {
        let (name, aliases, augment) =
            COMMANDS.iter().find(|(name, aliases, _)| *name == word || aliases.contains(&word))?;
        Some(augment(clap::Command::new(*name).visible_aliases(aliases.iter().copied())))
    }

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
