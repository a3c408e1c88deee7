//! What a connection may do, and who answers it.

use std::sync::Arc;

use vnet_rpc::{
    Call, CallAccess, ErrorCode, ErrorDomain, Frame, FrameHeader, PROGRAM_VERSION, Procedure, REMOTE_PROGRAM,
    RemoteEvent, Reply,
};

use crate::answer;
use crate::peer::Peer;
use crate::polkit;
use crate::queue::Queue;
use crate::refusal::{self, Refusal};
use crate::server::Shared;

/// The release of libvirt whose network driver this server behaves like, 11.3.0.
const LIBVIRT: u64 = 11_003_000;

/// Features that clients ask for, by libvirt's numbers: files along with messages (which no call
/// about networks has), strings in parameters, keepalive, events,
/// telling of the end, and the right order of the arguments of an update.
const FEATURES: [i32; 6] = [FD_PASSING, 9, KEEPALIVE, 14, 15, 16];
const FD_PASSING: i32 = 8;
const KEEPALIVE: i32 = 10;

/// Ways to authenticate, by libvirt's numbers.
const NONE: i32 = 0;
const POLKIT: i32 = 2;

/// The only flag of an open that means something.
const READ_ONLY: u32 = 1;

/// The state of a connection.
#[derive(Debug)]
pub(crate) struct Session {
    shared: Arc<Shared>,
    id: u64,
    peer: Peer,
    queue: Arc<Queue>,
    is_open: bool,
    is_read_only: bool,
    is_closing: bool,
    /// Whether polkit has to allow it first.
    must_ask: bool,
}

/// Whether a call only reads some files, and waits for nobody.
pub(crate) fn is_quick(header: &FrameHeader) -> bool {
    let procedure = Procedure::from_number(header.procedure);
    procedure.is_some_and(|procedure| {
        matches!(
            procedure,
            Procedure::ConnectGetLibVersion
                | Procedure::ConnectGetType
                | Procedure::ConnectListAllNetworks
                | Procedure::ConnectListDefinedNetworks
                | Procedure::ConnectListNetworks
                | Procedure::ConnectNumOfDefinedNetworks
                | Procedure::ConnectNumOfNetworks
                | Procedure::NetworkGetAutostart
                | Procedure::NetworkGetXmlDesc
                | Procedure::NetworkIsActive
                | Procedure::NetworkIsPersistent
                | Procedure::NetworkLookupByName
                | Procedure::NetworkLookupByUuid
        )
    })
}

impl Session {
    pub(crate) fn new(shared: Arc<Shared>, id: u64, peer: Peer, is_read_only: bool, queue: Arc<Queue>) -> Self {
        let must_ask = shared.asks_polkit && !peer.is_root();
        Self { shared, id, peer, queue, is_open: false, is_read_only, is_closing: false, must_ask }
    }

    /// Whether the client has said that it leaves.
    pub(crate) fn is_closing(&self) -> bool {
        self.is_closing
    }

    /// The message of an event, if the client still listens.
    pub(crate) fn tells(&self, event: &RemoteEvent) -> Option<Frame> {
        let listens = match event {
            RemoteEvent::Lifecycle { callback_id, .. } | RemoteEvent::MetadataChange { callback_id, .. } => {
                self.shared.news.has(self.id, *callback_id)
            }
            _ => false,
        };
        listens.then(|| Frame::new(FrameHeader::event(event.number()), event.to_payload()))
    }

    /// Does what a call asks.
    pub(crate) fn answer(&mut self, frame: &Frame) -> Result<Reply, Refusal> {
        let FrameHeader { program, version, procedure: number, .. } = frame.header;
        if (program, version) != (REMOTE_PROGRAM, PROGRAM_VERSION) {
            return Err(refusal::protocol(format!("Cannot find program {program} version {version}")));
        }
        let Some(procedure) = Procedure::from_number(number) else {
            let foreign = answer::foreign(number)?;
            self.is_let_in()?;
            return Err(foreign.refused(self.is_open, self.is_read_only));
        };
        let call = Call::from_payload(procedure, &frame.payload).map_err(|_| refusal::undecoded())?;
        self.may(&call)?;
        self.connection_call(&call).unwrap_or_else(|| answer::network_call(&self.shared, call))
    }

    /// Refuses a client that polkit has not let in yet.
    fn is_let_in(&self) -> Result<(), Refusal> {
        if self.must_ask { Err(refusal::protocol("authentication required")) } else { Ok(()) }
    }

    /// Refuses what this connection must not do.
    fn may(&self, call: &Call) -> Result<(), Refusal> {
        let procedure = call.procedure();
        if !matches!(call, Call::AuthList {} | Call::AuthPolkit {}) {
            self.is_let_in()?;
        }
        let is_early = match call {
            Call::ConnectSupportsFeature { feature } => *feature == KEEPALIVE,
            _ => procedure.access() == CallAccess::Unopened,
        };
        if !self.is_open && !is_early {
            let what = if answer::is_of_networks(procedure) { "" } else { "hypervisor " };
            return Err(refusal::internal(format!("{what}connection not open")));
        }
        if self.is_read_only && procedure.access() == CallAccess::Write {
            let what = format!("read only access prevents {}", procedure.function());
            return Err(refusal::network(ErrorCode::OperationDenied, what));
        }
        Ok(())
    }

    /// The calls about the connection itself. `None` for one about networks.
    fn connection_call(&mut self, call: &Call) -> Option<Result<Reply, Refusal>> {
        let int = |value| Ok(Reply::Int { value });
        Some(match call {
            Call::ConnectOpen { uri, flags } => self.open(uri.as_deref(), *flags),
            Call::ConnectClose {} => {
                self.is_closing = true;
                Ok(Reply::Nothing {})
            }
            Call::ConnectGetType {} => Ok(Reply::Text { text: "network".to_owned() }),
            Call::ConnectGetUri {} => Ok(Reply::Text { text: self.shared.whose.uri() }),
            Call::ConnectGetLibVersion {} => Ok(Reply::Hyper { value: LIBVIRT }),
            Call::ConnectIsSecure {} => int(1),
            Call::ConnectSupportsFeature { feature } => int(i32::from(FEATURES.contains(feature))),
            Call::AuthList {} => Ok(Reply::Ints { values: vec![if self.must_ask { POLKIT } else { NONE }] }),
            Call::AuthPolkit {} => self.authenticate(),
            Call::ConnectRegisterCloseCallback {} | Call::ConnectUnregisterCloseCallback {} => Ok(Reply::Nothing {}),
            Call::ConnectSetIdentity { parameters, .. } => answer::identity(parameters),
            Call::ConnectNetworkEventRegisterAny { event_id, network } => {
                let network = network.as_ref().map(|network| network.uuid);
                answer::listen(&self.shared.news, self.id, &self.queue, *event_id, network)
            }
            Call::ConnectNetworkEventDeregisterAny { callback_id } => {
                answer::leave(&self.shared.news, self.id, *callback_id)
            }
            _ => return None,
        })
    }

    fn authenticate(&mut self) -> Result<Reply, Refusal> {
        if !self.must_ask {
            let what = "polkit is not asked on this connection";
            return Err(refusal::of(ErrorCode::AuthFailed, ErrorDomain::Rpc, what));
        }
        polkit::check(self.peer, self.is_read_only)?;
        self.must_ask = false;
        Ok(Reply::Int { value: 1 })
    }

    fn open(&mut self, uri: Option<&str>, flags: u32) -> Result<Reply, Refusal> {
        if self.is_open {
            return Err(refusal::internal("connection already open"));
        }
        self.shared.whose.open(uri)?;
        self.is_open = true;
        self.is_read_only |= flags & READ_ONLY != 0;
        Ok(Reply::Nothing {})
    }
}
