//! The schemas of the program's JSON documents.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// Checks that a document is as its schema says, and says nothing that the schema does not know.
///
/// # Panics
/// When it is not, with every difference.
#[track_caller]
pub fn as_its_schema_says(name: &str, document: &Value) {
    let validator = jsonschema::validator_for(&schema(name)).expect("a schema");
    let errors: Vec<_> =
        validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "this is not as {name}.json says: {errors:#?}\n{document:#}");
}

/// A schema with the common parts in it, which refuses properties that are not named.
fn schema(name: &str) -> Value {
    let read = |name: &str| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/vnet-cli/schemas");
        let text = fs::read_to_string(folder.join(format!("{name}.json"))).expect("a schema");
        serde_json::from_str::<Value>(&text.replace("common.json#", "#")).expect("JSON")
    };
    let mut schema = read(name);
    schema["$defs"] = read("common")["$defs"].take();
    close(&mut schema);
    schema
}

fn close(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if map.contains_key("properties") {
                map.insert("additionalProperties".to_owned(), false.into());
            }
            map.values_mut().for_each(close);
        }
        Value::Array(list) => list.iter_mut().for_each(close),
        _ => {}
    }
}
