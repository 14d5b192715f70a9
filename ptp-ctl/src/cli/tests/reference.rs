//! What is made from the program for the book is up to date.

use crate::report::schema::{Fields, schema};
use std::fs;
use std::path::Path;

/// Set, it is made anew.
const UPDATE: &str = "UPDATE_REFERENCE";

#[test]
fn schema_and_reference_are_those_of_the_program() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let schema = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    for (name, text) in [("stats.schema.json", schema), ("stats-reference.md", Fields::new().reference())] {
        let path = docs.join(name);
        if std::env::var_os(UPDATE).is_some() {
            fs::write(&path, &text).unwrap();
        }
        let published = fs::read_to_string(&path).unwrap_or_default();
        assert!(published == text, "docs/{name} is out of date: {UPDATE}=1 cargo test -p ptp-ctl reference");
    }
}
