//! From text to a typed layer, key by key, so that one mistake does not hide the next.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use confique::meta::{Field, FieldKind};
use confique::{Config as _, Layer as _};
use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeArray, DeString, DeTable, DeValue, Deserializer};

use super::error::{ConfigError, Problem};
use super::place::{File, plain_words};
use super::source::{self, Origin, RUST_LOG, VARIABLE_PREFIX};
use super::{Config, Layer, Loaded, rules};

/// Takes sources in ascending order of precedence.
pub(super) struct Reader {
    layer: Layer,
    origins: BTreeMap<String, Origin>,
    problems: Vec<Problem>,
    /// Whether the file's values are unknown, and with them whether values agree.
    file_is_broken: bool,
}

impl Default for Reader {
    fn default() -> Self {
        Self { layer: Layer::empty(), origins: BTreeMap::new(), problems: Vec::new(), file_is_broken: false }
    }
}

/// The place of a key in the tree of keys.
#[derive(Clone, Copy)]
struct Name<'a> {
    section: Option<&'a str>,
    key: &'a str,
}

impl Name<'_> {
    fn dotted(self) -> String {
        match self.section {
            Some(section) => format!("{section}.{}", self.key),
            None => self.key.to_owned(),
        }
    }

    fn is_known(self) -> bool {
        let fields = self.section.map_or(Some(Config::META.fields), section_fields);
        fields.is_some_and(|fields| {
            fields.iter().any(|field| field.name == self.key && matches!(field.kind, FieldKind::Leaf { .. }))
        })
    }
}

/// The keys of a section, if it is one.
fn section_fields(section: &str) -> Option<&'static [Field]> {
    Config::META.fields.iter().find_map(|field| match field.kind {
        FieldKind::Nested { meta } if field.name == section => Some(meta.fields),
        _ => None,
    })
}

/// "known are: …", for the error about what is not.
fn known(fields: &[Field]) -> String {
    let names: Vec<_> = fields.iter().map(|field| field.name).collect();
    format!("known are: {}", names.join(", "))
}

impl Reader {
    /// Takes the config file's text.
    pub(super) fn file(&mut self, path: &Path, text: &str) {
        let file = File { path, text };
        let (table, mut errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            errors.sort_by_key(|error| error.span().map(|span| span.start));
            // What a parser makes of the rest of a broken file is a guess, and so would be the errors about it.
            self.problems.extend(errors.iter().map(|error| file.syntax_problem(error)));
            self.file_is_broken = true;
            return;
        }
        let first = self.problems.len();
        for (name, value) in table.into_inner() {
            self.top_level(&file, &name, value);
        }
        self.problems[first..].sort_by_key(Problem::offset);
    }

    fn top_level(&mut self, file: &File<'_>, name: &Spanned<DeString<'_>>, value: Spanned<DeValue<'_>>) {
        let at = name.span().start;
        match (section_fields(name.get_ref()), value.into_inner()) {
            (Some(fields), DeValue::Table(table)) => {
                for (key, value) in table {
                    let at = key.span().start;
                    let name = Name { section: Some(name.get_ref()), key: key.get_ref() };
                    if name.is_known() {
                        self.file_value(file, name, at, value);
                    } else {
                        let message = format!("unknown key `{}`; {}", name.dotted(), known(fields));
                        self.problems.push(file.problem_at(at, message));
                    }
                }
            }
            (Some(_), _) => {
                let message = format!("`{name}` is a section; write [{name}]", name = name.get_ref());
                self.problems.push(file.problem_at(at, message));
            }
            (None, value) => {
                let key = Name { section: None, key: name.get_ref() };
                if key.is_known() {
                    self.file_value(file, key, at, Spanned::new(at..at, value));
                } else {
                    let message = format!("unknown key `{}`; {}", key.dotted(), known(Config::META.fields));
                    self.problems.push(file.problem_at(at, message));
                }
            }
        }
    }

    /// Takes one key of the file; each element of an array of tables is judged on its own.
    fn file_value(&mut self, file: &File<'_>, name: Name<'_>, at: usize, value: Spanned<DeValue<'_>>) {
        let elements = match value.get_ref() {
            DeValue::Array(elements) if elements.iter().all(|element| element.get_ref().is_table()) => {
                elements.iter().map(|element| one_element(element.clone())).collect()
            }
            _ => vec![value.clone()],
        };
        let errors: Vec<_> = elements.into_iter().filter_map(|element| layer_of(name, element).err()).collect();
        if !errors.is_empty() {
            self.problems.extend(errors.iter().map(|error| file.value_problem(&name.dotted(), error, at)));
            return;
        }
        let origin = Origin::File { path: file.path.to_owned(), line: file.line_and_column(at).0 };
        match layer_of(name, value) {
            Ok(layer) => self.take(name, layer, origin),
            Err(error) => self.problems.push(file.value_problem(&name.dotted(), &error, at)),
        }
    }

    /// Takes one variable: `REVOKD__SECTION__KEY` or `RUST_LOG`.
    pub(super) fn variable(&mut self, name: &OsStr, value: &OsStr) {
        let place = name.to_string_lossy().into_owned();
        let Some(value) = value.to_str() else {
            self.problems.push(Problem::new(format!("environment {place}"), "the value is not UTF-8"));
            return;
        };
        if place == RUST_LOG {
            let name = Name { section: Some("log"), key: "level" };
            // The more deliberate variable wins, whichever of the two comes first.
            let overruled = matches!(self.origins.get("log.level"), Some(Origin::Environment(_)));
            if !overruled && !value.is_empty() {
                self.text_value(name, value, Origin::Environment(place));
            }
            return;
        }
        let lower = place.strip_prefix(VARIABLE_PREFIX).unwrap_or_default().to_ascii_lowercase();
        let dotted = lower.replacen("__", ".", 1);
        // Upper case only: a variable that differs in case alone would be a second source of the same rank.
        if place.bytes().any(|byte| byte.is_ascii_lowercase()) {
            self.problems.push(Problem::new(format!("environment {place}"), "unknown variable; names are upper case"));
            return;
        }
        self.dotted_value(&dotted, value, Origin::Environment(place));
    }

    /// Takes one `section.key=value`.
    pub(super) fn flag(&mut self, assignment: &str) {
        match assignment.split_once('=') {
            Some((dotted, value)) => {
                self.dotted_value(dotted.trim(), value.trim(), Origin::Flag);
            }
            None => {
                self.problems
                    .push(Problem::new("--set", format!("{assignment:?} is not of the form section.key=value")));
            }
        }
    }

    fn dotted_value(&mut self, dotted: &str, text: &str, origin: Origin) {
        let place = origin.to_string();
        let (section, key) = dotted.split_once('.').unwrap_or((dotted, ""));
        let name = Name { section: Some(section), key };
        match section_fields(section) {
            _ if name.is_known() => self.text_value(name, text, origin),
            Some(fields) => {
                let message = format!("unknown key `{}`; in [{section}] {}", name.dotted(), known(fields));
                self.problems.push(Problem::new(place, message));
            }
            None if matches!(section, "issuers" | "gateways") => {
                self.problems.push(Problem::new(place, format!("`{section}` can be set in the config file only")));
            }
            None => {
                let message = format!("there is no section `{section}`; {}", known(Config::META.fields));
                self.problems.push(Problem::new(place, message));
            }
        }
    }

    /// Takes a value from outside the file: a TOML literal where that fits the key's type, else plain text.
    fn text_value(&mut self, name: Name<'_>, text: &str, origin: Origin) {
        let literal = DeValue::parse(text).map(|value| layer_of(name, value));
        let plain = || layer_of(name, Spanned::new(0..text.len(), DeValue::String(Cow::Borrowed(text))));
        let read = match literal {
            Ok(Ok(layer)) => Ok(layer),
            Ok(Err(error)) => plain().map_err(|_| error),
            Err(_) => plain(),
        };
        match read {
            Ok(layer) => self.take(name, layer, origin),
            Err(error) => {
                let message = format!("`{}`: {}", name.dotted(), plain_words(error.message()));
                self.problems.push(Problem::new(origin.to_string(), message));
            }
        }
    }

    fn take(&mut self, name: Name<'_>, layer: Layer, origin: Origin) {
        let below = std::mem::replace(&mut self.layer, Layer::empty());
        self.layer = layer.with_fallback(below);
        self.origins.insert(name.dotted(), origin);
    }

    /// Judges the whole.
    pub(super) fn finish(mut self, file: Option<PathBuf>) -> Result<Loaded, ConfigError> {
        let mut config = Config::from_layer(
            std::mem::replace(&mut self.layer, Layer::empty()).with_fallback(Layer::default_values()),
        )
        .map_err(|error| ConfigError::new(vec![Problem::new("defaults", error.to_string())]))?;
        if !self.file_is_broken {
            self.problems.extend(rules::broken(&config, &self.origins));
        }
        self.place("store.path", &mut config.store.path, file.as_deref());
        for (key, path) in config.tls.files_mut() {
            self.place(key, path, file.as_deref());
        }
        if self.problems.is_empty() {
            return Ok(Loaded { config, file, origins: self.origins });
        }
        Err(ConfigError::new(self.problems))
    }

    /// Makes a path absolute, unless it is empty.
    fn place(&mut self, key: &str, path: &mut PathBuf, file: Option<&Path>) {
        if path.as_os_str().is_empty() {
            return;
        }
        // Who types a path on a command line means it from where they are; a file means it from where it is.
        let base = match self.origins.get(key) {
            Some(Origin::Environment(_) | Origin::Flag) => PathBuf::new(),
            _ => source::base_dir(file),
        };
        match std::path::absolute(base.join(&*path)) {
            Ok(absolute) => *path = absolute,
            Err(error) => self.problems.push(Problem::new(key, error.to_string())),
        }
    }
}

/// A layer that holds this one key.
fn layer_of(name: Name<'_>, value: Spanned<DeValue<'_>>) -> Result<Layer, toml::de::Error> {
    let mut table = one_key(name.key, value);
    if let Some(section) = name.section {
        table = one_key(section, Spanned::new(0..0, DeValue::Table(table)));
    }
    Layer::deserialize(Deserializer::from(Spanned::new(0..0, table)))
}

fn one_key<'a>(key: &str, value: Spanned<DeValue<'a>>) -> DeTable<'a> {
    let mut table = DeTable::new();
    table.insert(Spanned::new(0..0, Cow::Owned(key.to_owned())), value);
    table
}

fn one_element(element: Spanned<DeValue<'_>>) -> Spanned<DeValue<'_>> {
    let span = element.span();
    let mut array = DeArray::new();
    array.push(element);
    Spanned::new(span, DeValue::Array(array))
}
