//! What an answer looks like as JSON, held by a snapshot.

use serde_json::Value;

/// The answer is what the snapshot of this name shows. Fields named in `varying` are other ones in each run: of them only
/// whether they are there is compared.
pub fn is_as_shown(name: &str, mut answer: Value, varying: &[&str]) {
    blank(&mut answer, varying);
    // The order of fields depends on what else is built with serde_json.
    insta::with_settings!({
        prepend_module_to_snapshot => false, omit_expression => true, sort_maps => true,
    }, {
        insta::assert_json_snapshot!(name, answer);
    });
}

fn blank(value: &mut Value, varying: &[&str]) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::Null => {}
                    value if varying.contains(&name.as_str()) => *value = format!("[{name}]").into(),
                    value => blank(value, varying),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| blank(value, varying)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
