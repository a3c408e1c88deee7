//! What every verb needs of the configuration.

use serde_json::{Map, Value};
use vnet_driver::Attachment;

use super::environment::is_identifier;
use super::{Failure, Verb, Version, json, versions_in_words};

/// The configuration, of which version and name are read.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) version: Version,
    /// The network's name in the runtime's configuration.
    pub(crate) name: String,
    pub(super) keys: Map<String, Value>,
}

impl Head {
    pub(crate) fn read(input: &[u8]) -> Result<Self, Failure> {
        let undecodable = |why: String| Failure::new(6, format!("the configuration on standard input: {why}"));
        let keys = match json::read(input).map_err(|error| undecodable(error.to_string()))? {
            Value::Object(keys) => keys,
            other => return Err(undecodable(format!("{other} is not a JSON object"))),
        };
        let version = match keys.get("cniVersion") {
            // That is what the first version was.
            None | Some(Value::Null) => Version::V010,
            Some(Value::String(text)) if text.is_empty() => Version::V010,
            Some(version) => version.as_str().and_then(Version::parse).ok_or_else(|| {
                Failure::new(1, format!("cniVersion {version} is not supported"))
                    .with(format!("supported versions: {}", versions_in_words()))
            })?,
        };
        let name = match keys.get("name") {
            Some(Value::String(name)) if is_identifier(name) => name.clone(),
            None => return Err(Failure::new(7, "the configuration has no name: /name is missing")),
            Some(other) => {
                return Err(Failure::new(
                    7,
                    format!(
                        "/name is {other}: it begins with a letter or digit, and has only letters, digits, `_`, `.`, `-`"
                    ),
                ));
            }
        };
        Ok(Self { version, name, keys })
    }

    /// Refuses a verb that the version does not have.
    pub(crate) fn allows(&self, verb: Verb) -> Result<(), Failure> {
        if self.version >= verb.since() {
            return Ok(());
        }
        let (version, word) = (self.version.text(), verb.word());
        Err(Failure::new(1, format!("config version does not allow {word}: cniVersion is {version}"))
            .with(format!("{word} is part of CNI since {}", verb.since().text())))
    }

    /// A key, unless it is null.
    pub(super) fn key(&self, name: &str) -> Option<&Value> {
        self.keys.get(name).filter(|value| !value.is_null())
    }

    /// The attachments that exist, which GC has to leave alone. `None` when the runtime lists none.
    pub(crate) fn valid_attachments(&self) -> Result<Option<Vec<Attachment>>, Failure> {
        let invalid = |what: String| Failure::new(7, what);
        // The specification called the key so before libcni's name for it became the rule.
        let keys = ["cni.dev/valid-attachments", "cni.dev/attachments"];
        let Some((key, value)) = keys.into_iter().find_map(|key| Some((key, self.keys.get(key)?))) else {
            return Ok(None);
        };
        let list = match value {
            Value::Null => return Ok(Some(Vec::new())),
            Value::Array(list) => list,
            other => return Err(invalid(format!("/{key} is {other}, not a list"))),
        };
        let one = |entry: &Value| {
            let text = |name| entry.get(name).and_then(Value::as_str);
            Some(Attachment {
                network: self.name.clone(),
                container: text("containerID")?.to_owned(),
                interface: text("ifname")?.parse().ok()?,
            })
        };
        let read =
            |entry| one(entry).ok_or_else(|| invalid(format!("/{key} has {entry}: containerID and ifname are needed")));
        list.iter().map(read).collect::<Result<_, _>>().map(Some)
    }
}
