//! The effective configuration, for people and for tools.

use serde_json::Value;

use super::{Loaded, Origin};

/// One key with its effective value.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// `section.key`.
    pub key: String,
    /// Its value; secrets are redacted.
    pub value: Value,
    /// Where the value comes from.
    pub origin: Origin,
}

pub(super) fn settings(loaded: &Loaded) -> Vec<Setting> {
    let origin = |key: &str| loaded.origins.get(key).cloned().unwrap_or(Origin::Default);
    let setting = |key: String, value| Setting { origin: origin(&key), key, value };
    // Plain values in string-keyed structs: this serialisation has no way to fail. Secrets write themselves redacted.
    let sections = serde_json::to_value(&loaded.config).unwrap_or_default();
    let mut settings = Vec::new();
    for (section, keys) in sections.as_object().into_iter().flatten() {
        for (key, value) in keys.as_object().into_iter().flatten() {
            settings.push(setting(format!("{section}.{key}"), value.clone()));
        }
        if let Value::Array(_) = keys {
            settings.push(setting(section.clone(), keys.clone()));
        }
    }
    settings
}

impl Setting {
    /// The value as TOML writes it.
    #[must_use]
    pub fn toml(&self) -> String {
        toml(&self.value)
    }
}

fn toml(value: &Value) -> String {
    match value {
        Value::Array(elements) => format!("[{}]", elements.iter().map(toml).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            let members: Vec<_> = members.iter().map(|(name, value)| format!("{name} = {}", toml(value))).collect();
            format!("{{ {} }}", members.join(", "))
        }
        // JSON's strings, numbers and booleans are TOML's.
        plain => plain.to_string(),
    }
}
