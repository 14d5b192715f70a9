//! The schema of the `stats` document, and its fields by their paths.

use super::{Document, PinnedDocument};
use schemars::{JsonSchema, schema_for};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// What `stats` prints.
#[derive(JsonSchema)]
#[serde(untagged)]
pub enum Stats<'a> {
    /// Of a controller that runs.
    Running(Box<Document<'a>>),
    /// Without one.
    Alone(PinnedDocument<'a>),
}

/// As JSON Schema, draft 2020-12.
pub fn schema() -> Value {
    schema_for!(Stats<'static>).to_value()
}

/// What a field may hold.
#[derive(Clone, Debug, Default)]
pub struct Field {
    /// Types of JSON.
    pub types: BTreeSet<String>,
    /// The only strings allowed, with their meaning; empty = any.
    pub values: BTreeMap<String, String>,
    /// What it is.
    pub description: String,
}

/// All fields by path: `a.b` in objects, `a[]` for the members of a list, `a.*` for any name.
#[derive(Clone, Debug)]
pub struct Fields {
    schema: Value,
    fields: BTreeMap<String, Field>,
}

impl Fields {
    /// Those of [`schema`].
    pub fn new() -> Self {
        let mut fields = Self { schema: schema(), fields: BTreeMap::new() };
        let schema = fields.schema.clone();
        fields.add(&schema, "");
        fields
    }

    fn add(&mut self, node: &Value, path: &str) {
        let text = |key: &str| node[key].as_str().unwrap_or_default().replace("[`", "`").replace("`]", "`");
        let field = self.fields.entry(path.to_owned()).or_default();
        if let Some(value) = node["const"].as_str() {
            field.types.insert("string".to_owned());
            field.values.insert(value.to_owned(), text("description"));
            return;
        }
        if field.description.is_empty() {
            field.description = text("description");
        }
        let list = |key: &str| node[key].as_array().cloned().unwrap_or_default();
        let types = list("type").into_iter().chain([node["type"].clone()]);
        field.types.extend(types.filter_map(|name| name.as_str().map(str::to_owned)));
        field
            .values
            .extend(list("enum").iter().filter_map(|name| Some((name.as_str()?.to_owned(), String::new()))));
        if let Some(target) =
            node["$ref"].as_str().and_then(|name| self.schema.pointer(name.trim_start_matches('#')))
        {
            let target = target.clone();
            self.add(&target, path);
        }
        for part in ["anyOf", "oneOf", "allOf"].iter().flat_map(|key| list(key)) {
            self.add(&part, path);
        }
        for (name, part) in node["properties"].as_object().into_iter().flatten() {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            self.add(part, &path);
        }
        for (key, end) in [("items", "[]"), ("additionalProperties", ".*")] {
            if node[key].is_object() {
                self.add(&node[key], &format!("{path}{end}"));
            }
        }
    }

    /// What in a document is not as the schema has it.
    pub fn mistakes(&self, document: &Value) -> Vec<String> {
        let mut mistakes = Vec::new();
        self.check(document, "", &mut mistakes);
        mistakes
    }

    fn check(&self, value: &Value, path: &str, mistakes: &mut Vec<String>) {
        let Some(field) = self.fields.get(path) else {
            mistakes.push(format!("{path} is not in the schema"));
            return;
        };
        let names: &[&str] = match value {
            Value::Null => &["null"],
            Value::Bool(_) => &["boolean"],
            Value::Number(number) if number.is_f64() => &["number"],
            Value::Number(_) => &["integer", "number"],
            Value::String(_) => &["string"],
            Value::Array(_) => &["array"],
            Value::Object(_) => &["object"],
        };
        if !names.iter().any(|name| field.types.contains(*name)) {
            mistakes.push(format!("{path} is {value}, and may be {:?}", field.types));
        }
        match value {
            Value::String(text) if !field.values.is_empty() && !field.values.contains_key(text) => {
                mistakes.push(format!("{path} is {text:?}, which is not in the schema"));
            }
            Value::Array(members) => {
                members.iter().for_each(|member| self.check(member, &format!("{path}[]"), mistakes))
            }
            Value::Object(members) => {
                for (name, member) in members {
                    let named = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    let any = format!("{path}.*");
                    self.check(member, if self.fields.contains_key(&any) { &any } else { &named }, mistakes);
                }
            }
            _ => {}
        }
    }

    /// A chapter of the book.
    pub fn reference(&self) -> String {
        let mut text = "# Every field of `stats`\n\n\
            Made from the program, as is its [JSON Schema](stats.schema.json): `[]` stands for the members of a list, `*` for any name. \
            What they mean together: [What it tells](stats.md).\n\n\
            | field | type | |\n| --- | --- | --- |\n"
            .to_owned();
        for (path, field) in self.fields.iter().filter(|(path, _)| !path.is_empty()) {
            let types: Vec<_> = field.types.iter().map(String::as_str).collect();
            // Writing to a string cannot fail.
            let _ = write!(text, "| `{path}` | {} | {}", types.join(", "), line(&field.description));
            for (value, meaning) in &field.values {
                let _ = write!(text, "<br>`{value}`: {}", line(meaning));
            }
            text.push_str(" |\n");
        }
        text
    }
}

impl Default for Fields {
    fn default() -> Self {
        Self::new()
    }
}

fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}
