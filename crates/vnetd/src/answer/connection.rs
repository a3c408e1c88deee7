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

/// A fact that may be told of a person, and whether a value can be it.
type Fact = (&'static str, fn(&TypedValue) -> bool);
const FACTS: [Fact; 10] = [
    ("user-name", is_text),
    ("unix-user-id", is_number),
    ("group-name", is_text),
    ("unix-group-id", is_number),
    ("process-id", is_number),
    ("process-time", is_number),
    ("sasl-user-name", is_text),
    ("x509-distinguished-name", is_text),
    ("selinux-context", is_text),
    ("system.token", is_text),
];

fn is_text(value: &TypedValue) -> bool {
    matches!(value, TypedValue::String(_))
}

fn is_number(value: &TypedValue) -> bool {
    matches!(value, TypedValue::LLong(_) | TypedValue::ULLong(_))
}

/// Hears for whom a client says that it acts, such as virtqemud for its own client. It is checked
/// in its form and then forgotten, whoever says it: what a connection may do follows from its
/// socket, and from the process that the kernel names.
pub(crate) fn identity(parameters: &[TypedParameter]) -> Result<Reply, Refusal> {
    for TypedParameter { field, value } in parameters {
        match FACTS.iter().find(|(fact, _)| fact == field) {
            Some((_, is_right)) if is_right(value) => {}
            Some(_) => {
                let what = format!("invalid type for parameter '{field}'");
                return Err(refusal::of(ErrorCode::InvalidArg, ErrorDomain::None, what));
            }
            None => {
                let what = format!("parameter '{field}' not supported");
                return Err(refusal::of(ErrorCode::ArgumentUnsupported, ErrorDomain::None, what));
            }
        }
    }
    Ok(Reply::Nothing {})
}
