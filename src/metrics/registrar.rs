//! Registers metrics with their help text, so that none is ever without one.

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder as _, SharedString};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

/// Buckets of all durations, in seconds: from a verdict in memory to a purge of a million entries.
const DURATION_BUCKETS_S: [f64; 16] =
    [25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];
/// Buckets of checks: nobody waits longer for one.
const CHECK_BUCKETS_S: &[f64] = DURATION_BUCKETS_S.split_at(13).0;

const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

/// Labels of one metric: names and values from closed lists.
pub(super) type Labels = [(&'static str, &'static str)];

/// A recorder of Prometheus's text format that belongs to one server.
pub(super) struct Registrar {
    recorder: PrometheusRecorder,
}

impl Registrar {
    pub(super) fn new() -> Self {
        let builder = PrometheusBuilder::new();
        // Both fail only on empty lists of buckets.
        let builder = builder.set_buckets(&DURATION_BUCKETS_S).unwrap_or_default();
        let checks = Matcher::Full("revokd_check_duration_seconds".to_owned());
        let builder = builder.set_buckets_for_metric(checks, CHECK_BUCKETS_S).unwrap_or_default();
        Self { recorder: builder.build_recorder() }
    }

    pub(super) fn handle(&self) -> PrometheusHandle {
        self.recorder.handle()
    }

    pub(super) fn counter(&self, name: &'static str, help: &'static str, labels: &Labels) -> Counter {
        self.recorder.describe_counter(name.into(), None, SharedString::const_str(help));
        self.recorder.register_counter(&key(name, labels), &METADATA)
    }

    /// A counter of which one more label has a value from the config.
    pub(super) fn counter_of(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &Labels,
        (label, value): (&'static str, &str),
    ) -> Counter {
        self.recorder.describe_counter(name.into(), None, SharedString::const_str(help));
        let (name, mut labels) = key(name, labels).into_parts();
        labels.push(Label::new(label, value.to_owned()));
        self.recorder.register_counter(&Key::from_parts(name, labels), &METADATA)
    }

    pub(super) fn gauge(&self, name: &'static str, help: &'static str, labels: &Labels) -> Gauge {
        self.recorder.describe_gauge(name.into(), None, SharedString::const_str(help));
        self.recorder.register_gauge(&key(name, labels), &METADATA)
    }

    pub(super) fn histogram(&self, name: &'static str, help: &'static str, labels: &Labels) -> Histogram {
        self.recorder.describe_histogram(name.into(), None, SharedString::const_str(help));
        self.recorder.register_histogram(&key(name, labels), &METADATA)
    }
}

fn key(name: &'static str, labels: &Labels) -> Key {
    Key::from_parts(name, labels.iter().map(|(name, value)| Label::from_static_parts(name, value)).collect::<Vec<_>>())
}
