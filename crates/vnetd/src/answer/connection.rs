//! Events and identities.

use std::sync::Arc;

use vnet_rpc::{ErrorCode, ErrorDomain, Reply, TypedParameter, TypedValue, Uuid};

use crate::news::{Kind, News};
use crate::queue::Queue;
use crate::refusal::{self, Refusal};

/// Registers for events.
pub(crate) fn listen(
    news: &News,
    connection: u64,
    queue: &Arc<Queue>,
    event_id: i32,
    network: Option<Uuid>,
) -> Result<Reply, Refusal> {
    let unsupported = || refusal::internal(format!("unsupported network event ID {event_id}"));
    let kind = Kind::from_number(event_id).ok_or_else(unsupported)?;
    let again = || refusal::of(ErrorCode::InvalidArg, ErrorDomain::None, "event callback already tracked");
    Ok(Reply::Int { value: news.listen(connection, kind, network, queue)?.ok_or_else(again)? })
}

/// Ends a registration.
pub(crate) fn leave(news: &News, connection: u64, callback_id: i32) -> Result<Reply, Refusal> {
    if news.leave(connection, callback_id) {
        return Ok(Reply::Nothing {});
    }
    Err(refusal::internal(format!("network event callback {callback_id} not registered")))
}

/// The facts that may be told of a person, with their types.
const FACTS: [(&str, &str); 10] = [
    ("user-name", TEXT),
    ("unix-user-id", NUMBER),
    ("group-name", TEXT),
    ("unix-group-id", NUMBER),
    ("process-id", "llong"),
    ("process-time", NUMBER),
    ("sasl-user-name", TEXT),
    ("x509-distinguished-name", TEXT),
    ("selinux-context", TEXT),
    ("system.token", TEXT),
];
const TEXT: &str = "string";
const NUMBER: &str = "ullong";

/// libvirt's name of the type of a value.
fn type_of(value: &TypedValue) -> &'static str {
    match value {
        TypedValue::Int(_) => "int",
        TypedValue::UInt(_) => "uint",
        TypedValue::LLong(_) => "llong",
        TypedValue::ULLong(_) => NUMBER,
        TypedValue::Double(_) => "double",
        TypedValue::Boolean(_) => "boolean",
        TypedValue::String(_) => TEXT,
    }
}

/// Hears for whom a client says that it acts, such as virtqemud for its own client. It is checked
/// in its form and then forgotten, whoever says it: what a connection may do follows from its
/// socket, and from the process that the kernel names.
pub(crate) fn identity(parameters: &[TypedParameter]) -> Result<Reply, Refusal> {
    let invalid = |what| refusal::of(ErrorCode::InvalidArg, ErrorDomain::None, what);
    for (at, TypedParameter { field, value }) in parameters.iter().enumerate() {
        let Some((_, expected)) = FACTS.iter().find(|(fact, _)| fact == field) else {
            let what = format!("parameter '{field}' not supported");
            return Err(refusal::of(ErrorCode::ArgumentUnsupported, ErrorDomain::None, what));
        };
        if type_of(value) != *expected {
            let given = type_of(value);
            return Err(invalid(format!("invalid type '{given}' for parameter '{field}', expected '{expected}'")));
        }
        if parameters[..at].iter().any(|before| before.field == *field) {
            return Err(invalid(format!("parameter '{field}' occurs multiple times")));
        }
    }
    Ok(Reply::Nothing {})
}
