//! The document as a page: the same facts, laid out to be read.

use serde_json::Value;
use templates::{DocsAnswer, DocsBody, DocsField, DocsKind, DocsOperation, DocsPage, DocsTag, Visitor};

/// How deep a body is laid out. None of ours is deeper.
const DEEP: usize = 5;
/// The methods, in the order in which people think of them.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The page of a document.
pub fn docs_page(document: &Value, visitor: Visitor) -> DocsPage {
    let about = text(document, "/info/description");
    let tags = list(document, "/tags").iter().map(|tag| tag_of(document, tag));
    DocsPage {
        visitor,
        version: text(document, "/info/version"),
        about: about.split("\n\n").map(str::to_owned).collect(),
        ways_in: ways_in(document),
        tags: tags.filter(|tag| !tag.operations.is_empty()).collect(),
    }
}

/// By what somebody is known.
fn ways_in(document: &Value) -> Vec<DocsKind> {
    let schemes = document.pointer("/components/securitySchemes").and_then(Value::as_object);
    let way = |(name, scheme): (&String, &Value)| {
        let shown = match text(scheme, "/in").as_str() {
            "" => "Authorization: Bearer …".to_owned(),
            place => format!("{place} {}", text(scheme, "/name")),
        };
        DocsKind { kind: name.clone(), when: format!("{shown}: {}", text(scheme, "/description")) }
    };
    schemes.into_iter().flatten().map(way).collect()
}

fn tag_of(document: &Value, tag: &Value) -> DocsTag {
    let name = text(tag, "/name");
    let mut operations = Vec::new();
    for (path, item) in document.pointer("/paths").and_then(Value::as_object).into_iter().flatten() {
        for method in METHODS {
            let Some(operation) = item.get(method) else { continue };
            if list(operation, "/tags").iter().any(|tagged| tagged.as_str() == Some(name.as_str())) {
                operations.push(operation_of(document, method, path, operation));
            }
        }
    }
    DocsTag { about: text(tag, "/description"), name, operations }
}

fn operation_of(document: &Value, method: &str, path: &str, operation: &Value) -> DocsOperation {
    let parameters = list(operation, "/parameters").iter().map(|parameter| DocsField {
        name: text(parameter, "/name"),
        shape: format!("{}, {}", text(parameter, "/in"), shape(document, &parameter["schema"])),
        is_required: parameter["required"] == true,
        about: text(parameter, "/description"),
    });
    let bodies = operation.pointer("/requestBody/content").and_then(Value::as_object);
    let bodies =
        bodies.into_iter().flatten().map(|(content_type, content)| body_of(document, content_type, content));
    let answers = operation["responses"].as_object().into_iter().flatten();
    DocsOperation {
        id: text(operation, "/operationId"),
        method: method.to_uppercase(),
        path: path.to_owned(),
        summary: text(operation, "/summary"),
        about: text(operation, "/description"),
        known_by: known_by(operation),
        parameters: parameters.collect(),
        bodies: bodies.collect(),
        answers: answers.map(|(status, answer)| answer_of(document, status, answer)).collect(),
        curl: curl(method, path, operation),
    }
}

/// By what whoever calls may be known, in words; nothing where nobody asks.
fn known_by(operation: &Value) -> String {
    let ways = list(operation, "/security");
    let names = ways.iter().filter_map(Value::as_object).flat_map(|way| way.keys().cloned());
    let names = names.collect::<Vec<_>>().join(", ");
    let may_be_nobody = ways.iter().any(|way| way.as_object().is_some_and(serde_json::Map::is_empty));
    match (names.is_empty(), may_be_nobody) {
        (true, _) => String::new(),
        (false, true) => format!("{names}, or nobody"),
        (false, false) => names,
    }
}

fn body_of(document: &Value, content_type: &str, content: &Value) -> DocsBody {
    let mut fields = Vec::new();
    lay_out(document, &content["schema"], "", DEEP, &mut fields);
    let example = match &content["example"] {
        example if content_type == "application/json" && !example.is_null() => {
            serde_json::to_string_pretty(example).unwrap_or_default()
        }
        // A form is sent by its page.
        _ => String::new(),
    };
    DocsBody { content_type: content_type.to_owned(), fields, example }
}

fn answer_of(document: &Value, status: &str, answer: &Value) -> DocsAnswer {
    let contents = answer["content"].as_object();
    let contents: Vec<(&String, &Value)> = contents.into_iter().flatten().collect();
    let is_problem =
        contents.iter().any(|(content_type, _)| content_type.as_str() == "application/problem+json");
    let kind = |line: &str| {
        let (kind, when) = line.trim_start_matches('`').split_once("`: ")?;
        Some(DocsKind { kind: kind.to_owned(), when: when.to_owned() })
    };
    let description = text(answer, "/description");
    let headers = answer["headers"].as_object().into_iter().flatten();
    let header = |(name, header): (&String, &Value)| DocsKind {
        kind: name.clone(),
        when: text(header, "/description"),
    };
    DocsAnswer {
        status: status.to_owned(),
        about: if is_problem { String::new() } else { description.clone() },
        kinds: if is_problem { description.lines().filter_map(kind).collect() } else { Vec::new() },
        headers: headers.map(header).collect(),
        bodies: if is_problem {
            Vec::new()
        } else {
            contents.into_iter().map(|(of, content)| body_of(document, of, content)).collect()
        },
    }
}

/// Notes every field of a shape under the path by which it is reached.
fn lay_out(document: &Value, schema: &Value, path: &str, deep: usize, fields: &mut Vec<DocsField>) {
    let schema = resolve(document, schema);
    if deep == 0 {
        return;
    }
    for part in list(schema, "/allOf").iter().chain(list(schema, "/oneOf")) {
        lay_out(document, part, path, deep, fields);
    }
    if let Some(items) = schema.get("items") {
        lay_out(document, items, &format!("{path}[]"), deep - 1, fields);
    }
    let required = list(schema, "/required");
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let about = text(field, "/description");
        let about = if about.is_empty() { text(resolve(document, field), "/description") } else { about };
        let is_required = required.iter().any(|required| required.as_str() == Some(name.as_str()));
        fields.push(DocsField { name: path.clone(), shape: shape(document, field), is_required, about });
        lay_out(document, field, &path, deep - 1, fields);
    }
}

/// What kind of value it is, in a few words.
fn shape(document: &Value, schema: &Value) -> String {
    let schema = resolve(document, schema);
    let either: Vec<String> = list(schema, "/oneOf").iter().map(|part| shape(document, part)).collect();
    if !either.is_empty() {
        return either.join(" or ");
    }
    let words = list(schema, "/enum");
    if !words.is_empty() {
        return words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" | ");
    }
    let of = |kind: &str| match (kind, text(schema, "/format").as_str()) {
        ("string", "date-time") => "moment".to_owned(),
        ("string", _) => "text".to_owned(),
        ("array", _) => format!("list of {}", shape(document, &schema["items"])),
        ("boolean", _) => "true | false".to_owned(),
        ("integer", _) => "whole number".to_owned(),
        (other, _) => other.to_owned(),
    };
    match &schema["type"] {
        Value::String(kind) => of(kind),
        Value::Array(kinds) => {
            kinds.iter().filter_map(Value::as_str).map(of).collect::<Vec<_>>().join(" or ")
        }
        _ => "any".to_owned(),
    }
}

fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let reference = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    reference.and_then(|pointer| document.pointer(pointer)).unwrap_or(schema)
}

/// A request that one can copy, with the examples in the place of what is named.
fn curl(method: &str, path: &str, operation: &Value) -> String {
    let mut path = path.to_owned();
    for parameter in list(operation, "/parameters") {
        let name = format!("{{{}}}", text(parameter, "/name"));
        path = path.replace(&name, parameter["example"].as_str().unwrap_or("…"));
    }
    let mut line = format!("curl \"$URNA{path}\"");
    if method != "get" {
        line = format!("curl -X {} \"$URNA{path}\"", method.to_uppercase());
    }
    let ways = list(operation, "/security");
    if ways.iter().any(|way| way.get("voter_id").is_some()) {
        line.push_str(" \\\n  -H 'X-Voter-Id: member-17'");
    } else if ways.first().is_some_and(|way| way.get("bearer").is_some()) {
        line.push_str(" \\\n  -H \"Authorization: Bearer $TOKEN\"");
    }
    let json = operation.pointer("/requestBody/content/application~1json/example");
    if let Some(json) = json {
        line.push_str(&format!(" \\\n  -H 'Content-Type: application/json' \\\n  -d '{json}'"));
    }
    line
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
